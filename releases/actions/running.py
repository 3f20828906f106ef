"""Stopping what was asked for, and saying what happened when RelMan could not find out."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from phases import permissions
from phases.models import Environment
from releases import statuses
from releases.dispatch import ring
from releases.engine import drift
from releases.engine.ending import SECTION, ring_next
from releases.models import Promotion
from releases.transitions import advance, announce, lost
from relman.actors import Actor
from relman.audit import record
from relman.audit.recording import recorded
from relman.errors import Conflict, Invalid


@recorded("promotion.cancelled")
def cancel(promotion: Promotion, *, actor: Actor, comment: str = "") -> Promotion:
    """Withdraw a promotion before it runs: whoever asked for it, or has *promote*."""
    permissions.require(actor, "view", promotion.environment)
    if not (actor.user and promotion.requested_by_id == actor.user.pk):
        permissions.require(actor, "promote", promotion.environment)
    reason = f"Cancelled by {actor.name}. {comment}".strip()[:2000]
    advance(promotion, "cancelled", actor=actor, before=statuses.PENDING, reason=reason)
    ring_next(promotion)
    return _fresh(promotion)


@recorded("promotion.abort_requested")
def abort(promotion: Promotion, *, actor: Actor, comment: str = "") -> Promotion:
    """Stop what runs: between steps, and inside long ones; then the clean-up runs."""
    permissions.require(actor, "promote", promotion.environment)
    reason = f"Aborted by {actor.name}. {comment}".strip()[:1000]
    with transaction.atomic():
        hit = Promotion.objects.filter(pk=promotion.pk, status__in=statuses.ACTIVE, abort_reason="").update(
            abort_reason=reason, abort_by=actor.user, revision=F("revision") + 1, wake_at=None
        )
        promotion.refresh_from_db(fields=["status", "abort_reason"])
        if not hit and promotion.status in statuses.ACTIVE:
            raise Conflict(f"Promotion {promotion.pk} is being aborted already.", code="wrong_state")
        if not hit:
            raise lost(promotion.pk, promotion.status)
        record("promotion.abort_requested", actor=actor, subject=promotion, promotion=promotion, detail=comment)
        announce(promotion)
        ring(promotion)
    return _fresh(promotion)


@recorded("promotion.resolved")
def resolve(promotion: Promotion, *, actor: Actor, outcome: str, comment: str = "") -> Promotion:
    """Say what is true of a promotion whose outcome RelMan could not find out: done, or failed."""
    permissions.require(actor, "roll_back", promotion.environment)
    if outcome not in ("done", "failed"):
        raise Invalid("Say what is true.", fields={"as": ["done or failed"]})
    to = "succeeded" if outcome == "done" else "failed"
    reason = f"{actor.name} said that it {'is done' if outcome == 'done' else 'failed'}. {comment}".strip()[:2000]
    with transaction.atomic():
        Environment.objects.select_for_update(of=("self",)).filter(pk=promotion.environment_id).first()
        due = promotion.steps.filter(when=SECTION[to], status__in=("pending", "running")).exists()
        advance(promotion, to, actor=actor, before=("errored",), reason=reason, cleanup="due" if due else "none")
        if to == "succeeded":
            promotion.environment.refresh_from_db(fields=["drift", "doubt"])
            drift.settle(promotion, actor=actor)
        if due:
            ring(promotion)
        ring_next(promotion)
    return _fresh(promotion)


def _fresh(promotion: Promotion) -> Promotion:
    promotion.refresh_from_db()
    return promotion
