"""The record: append-only events, chained by hash."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from relman.actors import Actor

    from .models import Event

P = ParamSpec("P")
T = TypeVar("T")


def record(verb: str, *, actor: Actor, subject: Any = None, outcome: str = "done", **facts: Any) -> Event:
    """Write one event in the caller's transaction. See `relman.audit.recording.record`."""
    from . import recording

    return recording.record(verb, actor=actor, subject=subject, outcome=outcome, **facts)


def record_refusal(verb: str, *, actor: Actor, error: Exception, subject: Any = None, **facts: Any) -> None:
    """Write a refused verb in a transaction of its own. See `relman.audit.recording.record_refusal`."""
    from . import recording

    recording.record_refusal(verb, actor=actor, error=error, subject=subject, **facts)


def recorded(verb: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorator of a verb: one transaction, and its refusal is recorded. See `relman.audit.recording.recorded`."""
    from . import recording

    return recording.recorded(verb)
