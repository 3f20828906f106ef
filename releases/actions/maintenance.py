"""Maintenance: nothing starts, what runs finishes, everything can still be asked for and approved."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from phases import permissions
from releases.dispatch import ring_each
from releases.models import Maintenance, Promotion
from releases.queries import maintenance, turns
from releases.transitions import announce
from relman.actors import Actor
from relman.audit import record
from relman.audit.recording import recorded
from relman.errors import Conflict, Invalid
from relman.live import publish_on_commit

LONGEST_REASON = 1000


@recorded("maintenance.began")
def begin_maintenance(*, actor: Actor, reason: str) -> Maintenance:
    """Hold every start from now on. Whoever was about to start has started when this returns, and is counted.

    Forbidden for all but administrators, Conflict when it is on already.
    """
    permissions.require_administrator(actor, "begin or end a maintenance")
    said = reason.strip()
    if not said:
        raise Invalid("A maintenance needs a reason.", fields={"reason": ["Say why: everybody reads it."]})
    if len(said) > LONGEST_REASON:
        raise Invalid("The reason is too long.", fields={"reason": [f"At most {LONGEST_REASON} characters."]})
    with transaction.atomic():
        maintenance.wait_for_claims()
        on = maintenance.open_ones().select_related("began_by").first()
        if on is not None:
            by = on.began_by.display if on.began_by else "RelMan"
            raise Conflict(f"RelMan is in maintenance already: {by} began it. Nothing was changed.", code="wrong_state")
        begun = Maintenance.objects.create(reason=said, began_at=Now(), began_by=actor.user)
        record("maintenance.began", actor=actor, subject=begun, detail=said)
        _tell()
    begun.refresh_from_db()
    return begun


@recorded("maintenance.ended")
def end_maintenance(*, actor: Actor) -> Maintenance:
    """Let what was held start, in order. Conflict when there is no maintenance."""
    permissions.require_administrator(actor, "begin or end a maintenance")
    with transaction.atomic():
        on = maintenance.open_ones().select_for_update(of=("self",)).first()
        if on is None:
            raise Conflict("RelMan is not in maintenance. Nothing was changed.", code="wrong_state")
        Maintenance.objects.filter(pk=on.pk).update(ended_at=Now(), ended_by=actor.user)
        record("maintenance.ended", actor=actor, subject=on, detail=on.reason)
        _tell()
        # One ring for each that may start; whoever answers takes them in order.
        ring_each({turn.environment: turn.id for turn in reversed(turns.line())}.values())
    on.refresh_from_db()
    return on


def _tell() -> None:
    """Every page has the banner; pages that show something queued say why it stands still."""
    publish_on_commit("maintenance")
    queued = Promotion.objects.filter(status="queued").select_related("environment__application")
    for promotion in queued.order_by("id")[:200]:
        announce(promotion)
