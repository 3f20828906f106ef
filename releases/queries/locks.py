"""Locks of an environment or a whole phase: who set one and why, and what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from phases.models import Environment, Lock, Phase
from phases.queries import lock_of
from releases import statuses
from releases.queries.cells import lines
from releases.queries.lookups import visible_promotions
from relman.actors import Actor

NAMED = 12
"""How many of those that a lock holds are named."""


@dataclass(frozen=True)
class LockNow:
    """Who holds it, why, and since when."""

    by: str
    reason: str
    at: datetime
    phase: str = ""
    """The address of the phase that is locked as a whole; empty: only the environment is."""
    until: datetime | None = None
    """When it ends by itself; None: somebody unlocks it."""


@dataclass(frozen=True)
class LockDialog:
    """What a lock holds, or would hold."""

    name: str
    """Of what is locked, as the button says it."""
    where: str
    """"here", or that in its applications: nothing starts there."""
    lock: LockNow | None
    held: int
    holds: list[str]
    """The first of them by name."""
    more: int
    """How many are not named."""


def lock_now(where: Environment | Phase) -> LockNow | None:
    """The lock that holds it: an environment's own, else that of its phase."""
    if isinstance(where, Phase):
        return _shown(lock_of(where))
    scope = Q(environment=where) | Q(phase_id=where.phase_id)
    found = Lock.objects.filter(scope, released_at=None).select_related("by", "phase__pipeline")
    return _shown(found.order_by("environment", "id").first())


def _shown(lock: Lock | None) -> LockNow | None:
    if lock is None:
        return None
    page = f"/pipelines/{lock.phase.pipeline.slug}/{lock.phase.slug}/" if lock.phase else ""
    return LockNow(lock.by.display if lock.by else "RelMan", lock.reason, lock.at, page, lock.until)


def lock_dialog(actor: Actor, where: Environment | Phase) -> LockDialog:
    """What locking, or unlocking, an environment or a whole phase does. Names what the actor sees of it."""
    waiting = visible_promotions(actor).filter(status__in=statuses.PENDING).order_by("id")
    if isinstance(where, Environment):
        waiting, name, place = waiting.filter(environment=where), where.phase.name, "here"
    else:
        waiting = waiting.filter(environment__phase=where)
        name, place = f"all of {where.name}", f"in {where.name}, in any application,"
    named = [f"{one.application.name} {one.release}" for one in lines(waiting[:NAMED])]
    held = waiting.count()
    return LockDialog(name, place, _shown(lock_of(where)), held, named, max(held - len(named), 0))
