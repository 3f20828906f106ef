"""Who answers a doorbell: not the promotion that rang, but the one whose turn it is.

Doorbells are interchangeable: whatever may start has rung once, so that each ring finds one to take. The order is
made here, when a worker is free, and not in the broker, where a hundred rings may stand before another's one.
"""

from __future__ import annotations

from django.db import Error as DatabaseGone

from releases.engine import breaking, lease, runner
from releases.queries import turns


def answer(rung: int) -> None:
    """Visit the promotion whose turn it is; nothing when none may start or go on.

    What somebody else holds for a moment is passed over at first, and waited for when nothing else was there.
    """
    for patient in (False, True):
        due = turns.due(rung)
        for promotion, environment in due:
            claim = _claim(promotion, environment, patient)
            if claim is not None:
                return runner.visit(claim)
        if not due:
            return None
    return None


def _claim(promotion: int, environment: int, patient: bool) -> lease.Claim | None:
    """Take it. One that cannot be started for a mistake of RelMan's own must not stop all that stands behind it."""
    try:
        return lease.claim(promotion, environment=environment, patient=patient)
    except DatabaseGone:
        raise
    except Exception as error:
        breaking.not_started(promotion, error)
        return None
