"""Asking for a promotion, and asking again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from phases import configuration, permissions
from phases.models import Environment
from releases import gates, guards, statuses
from releases.dispatch import ring
from releases.engine import plan
from releases.models import Promotion, Release
from releases.queries.facts import facts_of
from releases.queries.lookups import live_of
from releases.queries.offers import kind_of
from releases.transitions import advance, announce
from relman.actors import Actor
from relman.audit import record
from relman.audit.recording import recorded
from relman.clock import now
from relman.errors import Conflict, Invalid, NotFound, Refused

LONGEST_COMMENT = 10_000


@dataclass(frozen=True)
class Wish:
    """What is asked for beside release and environment."""

    comment: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None
    allow_lower: bool = False
    retry_of: Promotion | None = None
    rollback: bool = False
    configuration: str = "today"


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
) -> Promotion:
    """Ask to bring a release into an environment. `waiting`, or `queued` when nothing waits.

    Forbidden without *promote* (and *roll back*, to allow a lower version); Refused, with
    every verdict, when a gate has failed.
    """
    permissions.require(actor, "promote", environment)
    wish = Wish(comment, not_before, not_after, allow_lower)
    if allow_lower:
        permissions.require(actor, "roll_back", environment)
        if not comment.strip():
            raise Invalid("Allowing a lower version needs a comment.", fields={"comment": ["Say why."]})
    return place(release, environment, wish, actor=actor)


@recorded("promotion.retried")
def retry(promotion: Promotion, *, actor: Actor, comment: str = "") -> Promotion:
    """Ask again for what ended without success: a new promotion that names the old one."""
    right = "roll_back" if promotion.kind == "rollback" else "promote"
    permissions.require(actor, right, promotion.environment)
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
        retry_of=promotion,
        rollback=promotion.kind == "rollback",
        configuration=promotion.snapshot_of,
    )
    return place(promotion.release, promotion.environment, wish, actor=actor)


def place(release: Release, environment: Environment, wish: Wish, *, actor: Actor) -> Promotion:
    """Write the promotion, ask the gates, and queue it when nothing holds it. The right was checked by the verb."""
    _sensible(release, environment, wish)
    with transaction.atomic():
        locked = (
            Environment.objects.select_for_update(of=("self",))
            .select_related("application__pipeline", "phase__pipeline")
            .get(pk=environment.pk)
        )
        guards.need(release.pk)
        promotion = _draft(release, locked, wish, actor)
        promotion.save()
        plan.write_steps(promotion)
        known = facts_of(promotion)
        verdicts = gates.evaluate(known)
        if gates.state_of(verdicts) == "failed":
            # There will be no promotion to look at.
            verdicts = gates.evaluate(replace(known, link_approve=""))
            raise Refused(gates.refusal(verdicts), verdicts=verdicts)
        record(
            "promotion.requested",
            actor=actor,
            subject=promotion,
            promotion=promotion,
            after={"kind": promotion.kind, "seal": promotion.seal},
            detail=wish.comment,
        )
        _supersede(promotion, actor)
        _go(promotion, verdicts)
    promotion.refresh_from_db()
    return promotion


def _sensible(release: Release, environment: Environment, wish: Wish) -> None:
    if release.application_id != environment.application_id:
        raise NotFound()
    fields: dict[str, list[str]] = {}
    if len(wish.comment) > LONGEST_COMMENT:
        fields["comment"] = [f"At most {LONGEST_COMMENT} characters."]
    if wish.not_before and wish.not_after and wish.not_after <= wish.not_before:
        fields["not_after"] = ["The latest start lies before the earliest."]
    if wish.not_after and wish.not_after <= now():
        fields["not_after"] = ["The latest start has passed."]
    if fields:
        raise Invalid("Nothing was asked for: " + " ".join(fields[next(iter(fields))]), fields=fields)


def _draft(release: Release, environment: Environment, wish: Wish, actor: Actor) -> Promotion:
    """The row with everything that is frozen at request."""
    live = live_of(environment)
    promotion = Promotion(
        environment=environment,
        release=release,
        kind=kind_of(release, live, rollback=wish.rollback),
        comment=wish.comment,
        requested_by=actor.user,
        requested_at=Now(),
        not_before=wish.not_before,
        not_after=wish.not_after,
        allow_lower=wish.allow_lower,
        retry_of=wish.retry_of,
        replaces=live.release if live else None,
        snapshot_of=wish.configuration,
    )
    plan.freeze(promotion, plan.build(release, environment, snapshot=_snapshot(release, environment, wish)))
    if wish.rollback:
        promotion.rules = []  # a bad night needs one click and one reason
    if promotion.rules:
        hours = min(rule["deadline_hours"] for rule in promotion.rules)
        promotion.approve_before = Now() + timedelta(hours=hours)
    return promotion


def _snapshot(release: Release, environment: Environment, wish: Wish) -> dict[str, Any]:
    """Today's configuration, or the one that the release ran with here last."""
    if wish.configuration == "then":
        ran = Promotion.objects.filter(environment=environment, release=release, status="succeeded")
        last = ran.order_by("-finished_at").first()
        if last is not None:
            then: dict[str, Any] = last.snapshot
            return then
    return configuration.snapshot(environment)


def _supersede(promotion: Promotion, actor: Actor) -> None:
    """A newer request takes the place of older ones that have not started, unless the phase runs every one."""
    if promotion.environment.phase.in_order:
        return
    older = Promotion.objects.filter(environment=promotion.environment, status__in=statuses.PENDING)
    for one in (
        older.exclude(pk=promotion.pk)
        .select_related("environment__application", "environment__phase", "release")
        .order_by("id")
    ):
        reason = f"Promotion {promotion.pk} of {promotion.release.version} took its place."
        advance(one, "superseded", actor=actor, reason=reason, superseded_by=promotion)


def _go(promotion: Promotion, verdicts: list[gates.Verdict]) -> None:
    """Queue it, or note when to look again."""
    if gates.state_of(verdicts) == "passed":
        advance(promotion, "queued", actor=Actor.system(), before=("waiting",))
        ring(promotion)
        return
    earliest = next((verdict.earliest for verdict in verdicts if verdict.earliest), None)
    Promotion.objects.filter(pk=promotion.pk).update(wake_at=earliest)
    announce(promotion)
