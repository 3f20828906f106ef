"""The record: append-only events, chained by hash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relman.actors import Actor

    from .models import Event


def record(verb: str, *, actor: Actor, subject: Any = None, outcome: str = "done", **facts: Any) -> Event:
    """Write one event in the caller's transaction. See `relman.audit.recording.record`."""
    from . import recording

    return recording.record(verb, actor=actor, subject=subject, outcome=outcome, **facts)
