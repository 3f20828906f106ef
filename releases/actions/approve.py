"""Decisions of people: yes, no, and taking a yes back."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from phases import permissions
from phases.models import Environment
from releases import approvals
from releases.engine import advance_waiting, start
from releases.models import Approval, Promotion
from releases.queries.facts import authors_of, barred_people, rule_of
from releases.transitions import advance, announce, lost
from relman.actors import Actor
from relman.audit import record
from relman.audit.recording import recorded
from relman.errors import Conflict, Forbidden, Invalid

LONGEST_COMMENT = 10_000


def approve(promotion: Promotion, *, actor: Actor, comment: str = "", seal: str = "") -> Promotion:
    """Say yes to what was shown. Queues the promotion when nothing else holds it.

    `seal`: what the approver saw (default: what the given promotion says); a stale one is a
    Conflict that says what changed.
    """
    changed = renew(promotion, actor)
    return _approve(promotion, actor=actor, comment=comment, seal=seal or promotion.seal, changed=changed)


def reject(promotion: Promotion, *, actor: Actor, comment: str, seal: str = "") -> Promotion:
    """Say no, with a comment: the promotion ends. `seal` as in `approve`."""
    changed = renew(promotion, actor)
    return _reject(promotion, actor=actor, comment=comment, seal=seal or promotion.seal, changed=changed)


def renew(promotion: Promotion, actor: Actor) -> str:
    """Freeze anew what changed since the request, before anybody signs; in a transaction of its own, so that it
    stays even when the decision is refused for it. Answers what changed."""
    if not permissions.can(actor, "approve", promotion.environment):
        return ""
    with transaction.atomic():
        locked = _locked(promotion)
        return start.refresh(locked) if locked.status == "waiting" else ""


@recorded("promotion.approved")
def _approve(promotion: Promotion, *, actor: Actor, comment: str, seal: str, changed: str) -> Promotion:
    with transaction.atomic():
        locked = _open(promotion, actor, seal, changed)
        _sign(locked, actor, "approved", comment)
        record(
            "promotion.approved",
            actor=actor,
            subject=locked,
            promotion=locked,
            detail=comment,
            after={"seal": locked.seal},
        )
        if not advance_waiting.consider(locked):
            announce(locked)
    return _fresh(promotion)


@recorded("promotion.rejected")
def _reject(promotion: Promotion, *, actor: Actor, comment: str, seal: str, changed: str) -> Promotion:
    if not comment.strip():
        raise Invalid("A no needs a comment.", fields={"comment": ["Say what has to change."]})
    with transaction.atomic():
        locked = _open(promotion, actor, seal, changed)
        _sign(locked, actor, "rejected", comment)
        reason = f"Rejected by {actor.name}: {comment}"
        advance(locked, "rejected", actor=actor, reason=reason[:2000])
    return _fresh(promotion)


@recorded("promotion.approval_withdrawn")
def withdraw_approval(promotion: Promotion, *, actor: Actor) -> Promotion:
    """Take one's own yes back while the promotion has not started."""
    permissions.require(actor, "view", promotion.environment)
    with transaction.atomic():
        locked = _locked(promotion)
        mine = Approval.objects.filter(promotion=locked, person=actor.user, voided_at=None)
        if locked.status not in ("waiting", "queued"):
            raise lost(locked.pk, locked.status)
        if not mine.update(voided_at=Now(), void_reason=f"{actor.name} took it back."):
            raise Conflict("You have no decision here that could be taken back.")
        record("promotion.approval_withdrawn", actor=actor, subject=locked, promotion=locked)
        if locked.status == "queued":
            advance(locked, "waiting", actor=actor, before=("queued",), reason=f"{actor.name} took an approval back.")
        announce(locked)
    return _fresh(promotion)


def _open(promotion: Promotion, actor: Actor, seal: str, changed: str) -> Promotion:
    """Lock the promotion and see that this actor may decide on it, as it is now."""
    permissions.require(actor, "approve", promotion.environment)
    locked = _locked(promotion)
    if locked.status not in ("waiting", "queued"):
        raise lost(locked.pk, locked.status)
    if seal != locked.seal or changed:
        what = changed or "It changed since you looked."
        raise Stale(f"{what} Nothing was decided: look again, then decide.", code="stale_seal", seal=locked.seal)
    _counts(locked, actor)
    return locked


class Stale(Conflict):
    """What was signed is not what is there."""


def _locked(promotion: Promotion) -> Promotion:
    """Environment first, then promotion: one order for all locks."""
    Environment.objects.select_for_update(of=("self",)).filter(pk=promotion.environment_id).first()
    return (
        Promotion.objects.select_for_update(of=("self",))
        .select_related("release", "environment__application__pipeline", "environment__phase", "requested_by")
        .get(pk=promotion.pk)
    )


def _counts(promotion: Promotion, actor: Actor) -> None:
    """Whoever decides must count for a rule: not the requester, not the author, and in the rule's role."""
    rules = [rule_of(rule) for rule in promotion.rules]
    if not rules:
        raise Conflict("This promotion asks for no approval.", code="no_approval_needed")
    person = actor.user.pk if actor.user else 0
    approvers = permissions.approver_roles(promotion.environment.phase)
    barred = barred_people(promotion.requested_by_id, authors_of(promotion.release))
    if approvals.may_decide(rules, person, approvers, barred):
        return
    why = barred.get(person, "")
    roles = sorted({rule.role for rule in rules})
    if why and approvals.may_decide(rules, person, approvers, {}):
        what = "asked for this promotion" if "requester" in why else "wrote or published this release"
        raise Forbidden(f"You {what}, so somebody else decides: {', '.join(roles)}.", roles=roles)
    raise Forbidden(f"Your approval does not count for any rule here. Who decides: {', '.join(roles)}.", roles=roles)


def _sign(promotion: Promotion, actor: Actor, decision: str, comment: str) -> None:
    if len(comment) > LONGEST_COMMENT:
        raise Invalid("The comment is too long.", fields={"comment": [f"At most {LONGEST_COMMENT} characters."]})
    try:
        with transaction.atomic():
            Approval.objects.create(
                promotion=promotion,
                person_id=actor.user.pk if actor.user else 0,
                decision=decision,
                comment=comment,
                seal=promotion.seal,
                at=Now(),
            )
    except IntegrityError:
        raise Conflict("You have decided here already. Take it back first to decide anew.", code="decided") from None


def _fresh(promotion: Promotion) -> Promotion:
    promotion.refresh_from_db()
    return promotion
