"""The emergency lane: to the front of the queue, over all applications. It opens no gate and stops nothing."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from phases import permissions
from phases.models import Environment
from releases import statuses
from releases.dispatch import ring
from releases.models import Promotion
from releases.transitions import announce, lost
from relman.actors import Actor
from relman.audit import record
from relman.audit.recording import recorded
from relman.errors import Conflict, Invalid

LONGEST_REASON = 1000


def allow(environment: Environment, *, actor: Actor, reason: str, field: str = "reason") -> str:
    """The reason, when the actor may use the lane there. Forbidden without *break glass*, Invalid without a reason."""
    permissions.require(actor, "break_glass", environment)
    said = reason.strip()
    if not said:
        raise Invalid("The emergency lane needs a reason.", fields={field: ["Say what the emergency is."]})
    if len(said) > LONGEST_REASON:
        raise Invalid("The reason is too long.", fields={field: [f"At most {LONGEST_REASON} characters."]})
    return said


@recorded("promotion.expedited")
def expedite(promotion: Promotion, *, actor: Actor, reason: str) -> Promotion:
    """Move a promotion that has not started to the front of the queue. Its gates stay as they are.

    Conflict when it has started, has ended, or is in the lane already.
    """
    said = allow(promotion.environment, actor=actor, reason=reason)
    with transaction.atomic():
        mine = Promotion.objects.filter(pk=promotion.pk, status__in=statuses.PENDING, emergency_at=None)
        hit = mine.update(
            emergency_at=Now(), emergency_reason=said, emergency_by=actor.user, revision=F("revision") + 1
        )
        promotion.refresh_from_db(fields=["status", "emergency_at"])
        if not hit and promotion.status in statuses.PENDING:
            raise Conflict(f"Promotion {promotion.pk} is in the emergency lane already.", code="wrong_state")
        if not hit:
            raise lost(promotion.pk, promotion.status)
        record("promotion.expedited", actor=actor, subject=promotion, promotion=promotion, detail=said)
        announce(promotion)
        if promotion.status == "queued":
            ring(promotion)
    promotion.refresh_from_db()
    return promotion
