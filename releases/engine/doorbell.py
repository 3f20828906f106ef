"""Who answers a doorbell: not the promotion that rang, but the one whose turn it is, and then whoever comes next.

Doorbells are interchangeable: whatever may start has rung once, so that each ring finds one to take. The order is
made here, when a worker is free, and not in the broker, where a hundred rings may stand before another's one. Whoever
ends a promotion looks for the next one by himself: what its end made possible needs no ring.
"""

from __future__ import annotations

from django.db import Error as DatabaseGone

from releases import dispatch
from releases.engine import breaking, lease, runner
from releases.engine.stopping import stopping
from releases.queries import turns

LONGEST = 100
"""Visits of one ring; then others are rung for, so that the broker sees every worker come back."""


def answer(rung: int) -> None:
    """Visit the promotion whose turn it is, and go on until none may start or go on."""
    for visits in range(LONGEST):
        if stopping.is_set() and visits:
            break
        if not _one(rung if not visits else 0):
            return
    for promotion, _ in turns.due(0)[:1]:
        dispatch.ring_now(promotion)


def _one(rung: int) -> bool:
    """Visit whoever comes first; False when nobody may start or go on.

    What somebody else holds for a moment is passed over at first, and waited for when nothing else was there.
    """
    for patient in (False, True):
        due = turns.due(rung)
        for promotion, environment in due:
            taken = _take(promotion, environment, patient)
            if taken is not None:
                runner.visit(*taken)
                return True
        if not due:
            return False
    return False


def _take(promotion: int, environment: int, patient: bool) -> tuple[lease.Claim, runner.Visit | None] | None:
    """Take it. One that cannot be started for a mistake of RelMan's own must not stop all that stands behind it."""
    try:
        return runner.take(promotion, environment=environment, patient=patient)
    except DatabaseGone:
        raise
    except Exception as error:
        breaking.not_started(promotion, error)
        return None
