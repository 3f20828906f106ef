"""Asking for a promotion, and asking again."""

from __future__ import annotations

from datetime import datetime

from phases import permissions
from phases.models import Environment
from releases import statuses
from releases.actions.emergency import allow
from releases.models import Promotion, Release
from releases.placing import Wish, place
from releases.transitions import advance
from relman.actors import Actor
from relman.audit.recording import recorded
from relman.errors import Conflict, Invalid


@recorded("promotion.requested")
def request_promotion(
    release: Release,
    environment: Environment,
    *,
    actor: Actor,
    comment: str = "",
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    allow_lower: bool = False,
    accept_one_way: bool = False,
    emergency: bool = False,
    reason: str = "",
) -> Promotion:
    """Ask to bring a release into an environment. `waiting`, or `queued` when nothing waits.

    Forbidden without *promote* (and *roll back*, to allow a lower version or to accept a migration that cannot be
    undone where the phase asks for a way back, with a comment; and *break glass*, for the emergency lane, which needs
    a `reason`); Refused, with every verdict, when a gate has failed.
    """
    permissions.require(actor, "promote", environment)
    lane = allow(environment, actor=actor, reason=reason) if emergency else ""
    wish = Wish(comment, not_before, not_after, allow_lower, accept_one_way, emergency=lane)
    for asked, what in ((allow_lower, "Allowing a lower version"), (accept_one_way, "Going without a way back")):
        if asked:
            permissions.require(actor, "roll_back", environment)
            if not comment.strip():
                raise Invalid(f"{what} needs a comment.", fields={"comment": ["Say why."]})
    return place(release, environment, wish, actor=actor)


@recorded("promotion.retried")
def retry(promotion: Promotion, *, actor: Actor, comment: str = "") -> Promotion:
    """Ask again for what ended without success: a new promotion that names the old one."""
    right = "roll_back" if promotion.kind in ("rollback", "adopt") else "promote"
    permissions.require(actor, right, promotion.environment)
    if promotion.allow_lower or promotion.accept_one_way:  # what somebody else took on is taken on again
        permissions.require(actor, "roll_back", promotion.environment)
    promotion.refresh_from_db(fields=["status"])
    if promotion.status not in ("failed", "errored", "aborted", "expired", "cancelled"):
        word = statuses.LOOKS[promotion.status].word.lower()
        raise Conflict(
            f"Promotion {promotion.pk} is {word}; only one that ended without success can be tried again.",
            code="wrong_state",
            state=promotion.status,
        )
    if promotion.status == "errored":
        # Run again is a person's word that the earlier attempt did not happen.
        permissions.require(actor, "roll_back", promotion.environment)
        reason = "Said to be not done, and asked for again."
        advance(promotion, "failed", actor=actor, before=("errored",), reason=reason, cleanup="none")
    wish = Wish(
        comment or promotion.comment,
        allow_lower=promotion.allow_lower,
        accept_one_way=promotion.accept_one_way,
        retry_of=promotion,
        rollback=promotion.kind == "rollback",
        adopt=promotion.kind == "adopt",
        configuration=promotion.snapshot_of,
    )
    return place(promotion.release, promotion.environment, wish, actor=actor)
