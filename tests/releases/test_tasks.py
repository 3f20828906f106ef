"""What a worker does around a visit."""

from __future__ import annotations

from typing import Any

from celery.fixups.django import DjangoWorkerFixup
from django.db import connections

from releases import tasks
from releases.models import Promotion
from relman.celery import app


def test_a_visit_borrows_a_connection_and_the_next_one_finds_the_same_pool(shop, monkeypatch):
    """Celery closes the pool after each task unless told not to: connecting anew costs more than a visit's queries."""
    fixup = DjangoWorkerFixup(app)
    monkeypatch.setattr(fixup, "_is_prefork", lambda: True)
    promotion = shop.ask(shop.release(), "dev")
    connection: Any = connections["default"]
    pool = connection.pool
    fixup.on_task_prerun(tasks.tick)
    tasks.tick(promotion.pk)
    assert connection.connection is None, "the connection is not given back"
    fixup.on_task_postrun(tasks.tick)
    assert connection.pool is pool
    assert not pool.closed
    assert Promotion.objects.get(pk=promotion.pk).status == "succeeded"
