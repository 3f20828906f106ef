"""After a restore: environments whose target has seen more than the record knows, held until a person has looked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now

from phases.drivers.registry import driver
from phases.models import Environment, Lock
from phases.targets import target_of
from releases import statuses
from releases.models import Promotion
from releases.transitions import advance
from relman.actors import Actor
from relman.audit import record
from relman.errors import Conflict
from relman.live import publish_on_commit

MARK = "The record is older than the target:"
"""How the reason of such a lock begins."""
AFTERWARDS = (
    "Look at what runs there, bring the release that should run, then release this lock. Its clean-up was left out."
)


@dataclass(frozen=True)
class Ahead:
    """One environment, the epoch of the record and the one that its target remembers."""

    environment: Environment
    ours: int
    seen: int

    @property
    def reason(self) -> str:
        """Why it is held."""
        more = "and what ran when the backup was taken may have gone on" if self.seen == self.ours else ""
        known = f"it has seen epoch {self.seen}, the record knows {self.ours}"
        return f"{MARK} {', '.join(filter(None, [known, more]))}. {AFTERWARDS}"


def find(*, restored: bool = False) -> Iterator[Ahead]:
    """Environments whose target is ahead of the record. The target is read first: a claim meanwhile is no alarm.

    `restored`: right after a restore, when what ran may have gone on under the same epoch: a step that must never
    be done twice then needs a person too. (Others can be repeated, or ask the target.)
    """
    for environment in Environment.objects.select_related("application", "phase").order_by("id"):
        seen = driver(environment.driver).seen(target_of(environment))
        ours = Environment.objects.values_list("epoch", flat=True).get(pk=environment.pk)
        if seen > ours or (restored and seen == ours and _once_only(environment)):
            yield Ahead(environment, ours, seen)


def _once_only(environment: Environment) -> bool:
    running = Promotion.objects.filter(environment=environment, status__in=statuses.ACTIVE)
    return running.filter(steps__resume="never", steps__status__in=("pending", "running")).exists()


def hold(found: Ahead, *, actor: Actor) -> None:
    """Nothing starts there until a person has looked: what ran ends errored, the environment is locked."""
    with transaction.atomic():
        environment = Environment.objects.select_for_update(of=("self",)).get(pk=found.environment.pk)
        if environment.epoch > found.ours:
            return  # somebody claimed meanwhile, so the record is ahead again
        Environment.objects.filter(pk=environment.pk).update(epoch=found.seen)
        promotions = Promotion.objects.filter(environment=environment)
        for promotion in promotions.filter(status__in=statuses.ACTIVE).select_related("environment__application"):
            _unclear(promotion, found, actor)
        promotions.filter(cleanup="due").update(cleanup="none")
        _lock(environment, found.reason)
        record("environment.held", actor=actor, subject=environment, detail=found.reason)
        publish_on_commit(f"environment:{environment.pk}", f"application:{environment.application.slug}")


def _unclear(promotion: Promotion, found: Ahead, actor: Actor) -> None:
    """Somebody has to say what became of it."""
    reason = f"{found.reason} Say whether this promotion is done or failed."
    try:
        advance(promotion, "errored", actor=actor, before=statuses.ACTIVE, reason=reason, epoch=found.seen)
    except Conflict:  # it ended by itself meanwhile
        return


def _lock(environment: Environment, reason: str) -> None:
    """One that is there already holds too, but no longer ends by itself: a person has to look first."""
    if not Lock.objects.filter(environment=environment, released_at=None).update(until=None):
        Lock.objects.create(environment=environment, reason=reason[:300], by=None, at=Now())


def held(environment: Environment) -> bool:
    """Whether such a lock holds it still."""
    return Lock.objects.filter(environment=environment, released_at=None, by=None, reason__startswith=MARK).exists()


def names() -> list[str]:
    """The environments that wait for a person because of it."""
    locks = Lock.objects.filter(released_at=None, by=None, reason__startswith=MARK).exclude(environment=None)
    return [str(one.environment) for one in locks.select_related("environment__application", "environment__phase")]
