"""Thin Celery tasks."""

from __future__ import annotations

from celery.signals import worker_shutting_down

from releases.engine.stopping import stopping
from relman.celery import app


@app.task(name="releases.tick", ignore_result=True)  # type: ignore[untyped-decorator]
def tick(promotion_id: int) -> None:
    """One visit of the engine to one promotion."""
    from releases.engine import runner

    runner.tick(int(promotion_id))


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def finish_steps(**_: object) -> None:
    """SIGTERM: what runs finishes its step and goes back; a rolling upgrade repeats nothing."""
    stopping.set()
