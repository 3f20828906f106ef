"""The worker's side: the one thin task, and what a worker does when it starts and stops."""

from __future__ import annotations

from typing import Any

from celery.signals import worker_init, worker_ready, worker_shutting_down
from django.db import close_old_connections

from releases.dispatch import TICK
from releases.engine.stopping import stopping
from relman.celery import app


@app.task(name=TICK, ignore_result=True)
def tick(promotion_id: int) -> None:
    """One visit of the engine: to the promotion whose turn it is, whichever rang."""
    from releases.engine import doorbell

    try:
        doorbell.answer(int(promotion_id))
    finally:
        close_old_connections()  # back to the pool, which looks at it before it is lent again


@worker_init.connect
def load(**_: object) -> None:
    """Import what visits need before children are forked: one forked in the middle of an import waits for ever."""
    from phases.drivers import registry
    from releases.engine import doorbell, sweep  # noqa: F401 - loaded, not used

    for kind in registry.KINDS:
        registry.driver(kind)


@worker_ready.connect
def start_sweep(sender: Any = None, **_: object) -> None:
    """Every worker sweeps, so that no beat is a single point of failure. It says how many processes it has."""
    from releases import daily
    from releases.engine import sweep

    sweep.start("worker", slots=int(getattr(getattr(sender, "controller", None), "concurrency", 0) or 1))
    daily.start()


@worker_shutting_down.connect
def finish_steps(**_: object) -> None:
    """SIGTERM: what runs finishes its step and goes back; a rolling upgrade repeats nothing."""
    stopping.set()
