"""Asking the gates again for promotions that wait: after a decision, when a time comes, each safety round."""

from __future__ import annotations

from django.db import transaction

from phases.models import Environment
from releases import gates
from releases.dispatch import ring
from releases.engine import start
from releases.models import Promotion
from releases.queries.facts import facts_of
from releases.transitions import advance
from relman.actors import Actor

BATCH = 200


def one(promotion_id: int) -> bool:
    """Queue this promotion if nothing holds it any more; True when it was queued."""
    with transaction.atomic():
        promotion = locked(promotion_id)
        return promotion is not None and consider(promotion)


def locked(promotion_id: int) -> Promotion | None:
    """The promotion, if it waits, with environment and promotion locked in that order."""
    place = Promotion.objects.filter(pk=promotion_id).values_list("environment_id", flat=True).first()
    if place is None:
        return None
    Environment.objects.select_for_update(of=("self",)).filter(pk=place).first()
    return (
        Promotion.objects.select_for_update(of=("self",))
        .select_related("release", "environment__application__pipeline", "environment__phase", "requested_by")
        .filter(pk=promotion_id, status="waiting")
        .first()
    )


def consider(promotion: Promotion) -> bool:
    """Ask the gates; queue and ring when all pass, else note when to look again. The rows are locked."""
    start.refresh(promotion)
    verdicts = gates.evaluate(facts_of(promotion))
    state = gates.state_of(verdicts)
    if state == "passed":
        advance(promotion, "queued", actor=Actor.system(), before=("waiting",), reason="", wake_at=None)
        ring(promotion)
        return True
    earliest = next((verdict.earliest for verdict in verdicts if verdict.earliest), None)
    if promotion.wake_at != earliest:
        Promotion.objects.filter(pk=promotion.pk).update(wake_at=earliest)
    return False


def all_waiting() -> None:
    """Facts change in many places; each round asks again for what waits, oldest first."""
    for pk in Promotion.objects.filter(status="waiting").order_by("id").values_list("pk", flat=True)[:BATCH]:
        one(pk)
