"""What the looks at an environment amount to: its health, its history, and drift from the record.

Drift begins, changes and ends by two looks in a row, so that a process that is just being restarted is no alarm. A
promotion that succeeds is the record anew, and ends it at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from phases.drivers.base import Observation
from phases.models import Environment, HealthChange
from releases import reality
from releases.models import Promotion
from releases.queries.lookups import live_of
from relman.actors import Actor
from relman.audit import record
from relman.clock import now
from relman.live import publish_on_commit

CHANGES = 1000
"""Rows of an environment's history that are kept; the newest."""
KEPT = timedelta(days=90)
QUIET = timedelta(seconds=15)
"""After a promotion, before a difference counts."""


@dataclass(frozen=True)
class Look:
    """What one look brought. `drift` None with `judged`: record and reality agree."""

    health: str
    words: str
    seen: Observation | None = None
    drift: reality.Drift | None = None

    @property
    def judged(self) -> bool:
        """Whether it says anything about drift."""
        return self.seen is not None


def note(environment: Environment, promotion: Promotion, look: Look) -> None:
    """Save one look; pages hear of what changed. Dropped when the environment was claimed since it was read."""
    with transaction.atomic():
        same = Environment.objects.select_for_update(of=("self",)).filter(pk=environment.pk, epoch=environment.epoch)
        row = same.select_related("application", "phase").first()
        if row is None:
            return
        fields: dict[str, Any] = {"health": look.health, "health_detail": look.words[:300], "health_at": Now()}
        if look.health != row.health:
            fields["health_since"] = Now()
        fields |= _observed(row, promotion, look)
        _remember(row, look, fields)
        if look.judged and _may_judge(row, promotion):
            fields |= _judge(row, promotion, look)
        Environment.objects.filter(pk=row.pk).update(**fields)
        if look.health != row.health or "drift" in fields:
            publish_on_commit("board", f"environment:{row.pk}", f"application:{row.application.slug}")


def _observed(row: Environment, promotion: Promotion, look: Look) -> dict[str, Any]:
    if look.seen is None:
        return {}
    seen = look.seen
    facts = {"version": seen.version, "digest": seen.digest, "running": seen.running, "restarts": seen.restarts}
    wanted = int(promotion.target.get("instances", 1))
    return {"observed": {**facts, "promotion": promotion.pk, "wanted": wanted}}


def _remember(row: Environment, look: Look, fields: dict[str, Any]) -> None:
    """A line of the history: health changed, or an instance ended by itself and was started again meanwhile."""
    before, after = row.observed, fields.get("observed", row.observed)
    again = after.get("restarts", 0) - before.get("restarts", 0)
    restarted = again > 0 and before.get("promotion") == after.get("promotion")
    if look.health == row.health and not restarted:
        return
    times = "" if again < 2 else f" {again} times"
    words = f"An instance ended by itself and was started again{times}. " if restarted else ""
    remember(row, look.health, f"{words}{look.words}")


def remember(row: Environment, health: str, detail: str) -> None:
    """Write one line of the history of health, and forget the oldest."""
    HealthChange.objects.create(environment=row, at=Now(), before=row.health, health=health, detail=detail[:300])
    mine = HealthChange.objects.filter(environment=row)
    mine.filter(at__lt=Now() - KEPT).delete()
    beyond = mine.order_by("-id").values_list("pk", flat=True)[CHANGES : CHANGES + 1].first()
    if beyond:
        mine.filter(pk__lte=beyond).delete()


def _may_judge(row: Environment, promotion: Promotion) -> bool:
    """Not right after a promotion, nor while a person has to say what another one left there."""
    live = live_of(row)
    if live is None or live.pk != promotion.pk:
        return False
    if live.finished_at is not None and now() - live.finished_at < QUIET:
        return False
    return not Promotion.objects.filter(environment=row, status="errored").exists()


def _judge(row: Environment, promotion: Promotion, look: Look) -> dict[str, Any]:
    """What the look changes: nothing, a doubt, or after a second one in a row the drift itself."""
    kept, found = reality.of_json(row.drift), look.drift
    if found is None and look.seen and look.seen.unread and "files" in (kept.kind if kept else "", *_doubted(row)):
        return {}  # it has not read all files: neither does such a difference end, nor the doubt about one
    if _key(kept) == _key(found):
        return {"doubt": {}} if row.doubt else {}
    doubt = {"key": _key(found)}
    if row.doubt != doubt:
        return {"doubt": doubt}
    _tell(row, promotion, found, "" if found else "What runs is what the record says again.")
    since = row.drift_since if kept and found else Now() if found else None
    return {"doubt": {}, "drift": found.as_json() if found else {}, "drift_since": since}


def _doubted(row: Environment) -> list[str]:
    """The kind of difference that the look before has seen, if any."""
    key = row.doubt.get("key")
    return [key[0]] if key else []


def _key(drift: reality.Drift | None) -> list[Any] | None:
    return drift.key if drift else None


def _tell(row: Environment, promotion: Promotion, found: reality.Drift | None, ended: str, **who: Any) -> None:
    """The event: begun (or changed), or ended."""
    record(
        "environment.drifted" if found else "environment.drift_ended",
        actor=who.get("actor") or Actor.system(),
        subject=row,
        release=promotion.release,
        before=row.drift or {"version": promotion.release.version, "digest": promotion.digest},
        after=found.as_json() if found else {},
        detail=found.text if found else ended,
    )


def settle(promotion: Promotion, *, actor: Actor | None = None) -> None:
    """This promotion is the record now: what was seen before it says nothing any more. In the caller's transaction."""
    row = promotion.environment  # read under the claim: no look has been noted since
    if not row.drift and not row.doubt:
        return
    if row.drift:
        ended = f"Promotion {promotion.pk} brought {promotion.release.version}."
        if promotion.kind == "adopt":
            ended = f"Promotion {promotion.pk} accepted {promotion.release.version} as the record."
        _tell(row, promotion, None, ended, actor=actor)
    Environment.objects.filter(pk=row.pk).update(drift={}, drift_since=None, doubt={})
