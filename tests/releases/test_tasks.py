"""What a worker does around a visit."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from celery.fixups.django import DjangoWorkerFixup
from django.db import connections
from kombu.exceptions import ContentDisallowed
from kombu.serialization import loads, prepare_accept_content

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


def test_a_forged_doorbell_starts_nothing_that_may_not_start(shop):
    """Whoever can write to the broker can ring; the claim asks the gates all the same."""
    release = shop.release()
    shop.bring(release, "dev", "qa", "stage")
    waiting = shop.ask(release, "live")
    for rung in (waiting.pk, waiting.pk + 1000, -1, 0):
        tasks.tick(rung)
    for forged in ("1; DROP TABLE releases_promotion", None, {"id": waiting.pk}):
        with pytest.raises((TypeError, ValueError)):
            tasks.tick(forged)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.epoch) == ("waiting", 0)


def test_a_worker_reads_json_and_nothing_that_runs_when_it_is_read():
    accepted = prepare_accept_content(app.conf.accept_content)
    assert loads("[1]", "application/json", "utf-8", accept=accepted) == [1]
    for kind in ("application/x-python-serialize", "application/x-yaml", "application/x-msgpack"):
        with pytest.raises(ContentDisallowed):
            loads(pickle.dumps([1]), kind, "binary", accept=accepted)
