"""Asking the gates again for promotions that wait: after a decision, when a time comes, each safety round."""

from __future__ import annotations

import logging

from django.db import Error as DatabaseGone
from django.db import transaction

from phases.models import Environment
from releases import formats, gates
from releases.dispatch import ring
from releases.engine import start
from releases.models import Promotion
from releases.queries.facts import facts_of
from releases.transitions import advance
from relman.actors import Actor

log = logging.getLogger(__name__)
BATCH = 200
_reached = 0
"""The last one that was asked about, when more wait than one round takes."""


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
    """Ask the gates; queue and ring when all pass, else note when to look again. The rows are locked.

    What newer code than this has planned is left to the newer processes, which ask in their safety rounds.
    """
    if promotion.plan_version > formats.PLAN:
        return False
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
    """Facts change in many places; each round asks again for what waits, oldest first.

    Where many wait, each round goes on where the one before ended: what waits for long keeps nobody from being asked.
    """
    global _reached
    waiting = Promotion.objects.filter(status="waiting", pk__gt=_reached).order_by("id")
    asked = list(waiting.values_list("pk", flat=True)[:BATCH])
    _reached = asked[-1] if len(asked) == BATCH else 0
    for pk in asked:
        try:
            one(pk)
        except DatabaseGone:
            raise
        except Exception as error:  # one that cannot be asked about must not stop the others
            log.warning("The gates could not be asked for promotion %s: %s", pk, error)
