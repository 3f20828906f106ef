"""The doorbell: the only place that enqueues. The row is the truth, the message only wakes a worker."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models.functions import Now

from releases.models import Outbox, Promotion
from relman.background import later
from relman.celery import app

TICK = "releases.tick"
"""The task's name: whoever rings need not know who answers."""


def ring(promotion: Promotion) -> None:
    """Wake a worker for this promotion after commit. The outbox row makes it certain; the claim removes it."""
    Outbox.objects.create(promotion=promotion, due_at=Now())
    transaction.on_commit(lambda: ring_now(promotion.pk), robust=True)


def ring_each(promotions: Iterable[int]) -> None:
    """Wake a worker for each of these after commit; their outbox rows are there already."""
    for pk in promotions:
        transaction.on_commit(lambda pk=pk: ring_now(pk), robust=True)  # type: ignore[misc]


def ring_now(promotion_id: int) -> None:
    """Hand the message over to be sent; never waits for the broker, and a lost one is sent again by the sweep."""
    later(lambda: send(promotion_id))


def send(promotion_id: int) -> None:
    """Put the message on the broker. Raises when it is not there."""
    app.send_task(TICK, (promotion_id,), retry=False, ignore_result=True)
