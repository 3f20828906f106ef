"""Whether RelMan is in maintenance, what still runs, and when it is safe to stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet, Subquery
from django.db.models.functions import JSONObject

from phases import permissions
from releases.models import Maintenance, Promotion
from releases.queries.ahead import Ahead, going_on, shown
from releases.queries.places import display
from releases.queries.shared import listed
from relman.actors import Actor

LOCK = 0x52454C4E
"""Advisory lock: shared by every claim, alone for who begins a maintenance. What began before it counts as running."""


def open_ones() -> QuerySet[Maintenance]:
    """The maintenance that is on; none or one."""
    return Maintenance.objects.filter(ended_at=None)


def wait_for_beginning() -> None:
    """In a claim's transaction: let a maintenance that is about to begin come first, and later ones wait for us.

    A statement after this one sees every maintenance that has begun.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [LOCK])


def wait_for_claims() -> None:
    """In the transaction that begins a maintenance: no claim is half done, and none starts before its end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


@dataclass(frozen=True)
class Held:
    """A maintenance that is on: since when, by whom, why."""

    since: datetime
    by: str
    reason: str

    @property
    def text(self) -> str:
        """The sentence for whoever waits."""
        return "RelMan is in maintenance: nothing starts until an administrator ends it."


@dataclass(frozen=True)
class State:
    """All about it, as the reader may see it: what still runs or cleans up, and how many are queued."""

    held: Held | None
    running: list[Ahead]
    queued: int

    @property
    def safe(self) -> bool:
        """Whether processes may be stopped now, and stay stopped."""
        return self.held is not None and not self.running

    @property
    def text(self) -> str:
        """When it is safe to stop."""
        if self.held is None:
            return "There is no maintenance: promotions start as they come."
        if not self.running:
            return "Safe to stop: nothing runs."
        seen = sum(one.promotion is not None for one in self.running)
        if not seen:
            return "Something still runs that you may not see."
        names = listed([one.text for one in self.running], 6)
        return f"{seen} {'runs' if seen == 1 else 'run'}: {names}."


def current() -> Subquery:
    """For a query that runs anyway: the maintenance that is on, as JSON, or NULL."""
    shape = JSONObject(since="began_at", by=display("began_by__"), reason="reason")
    return Subquery(open_ones().values(json=shape)[:1])


def held_of(raw: Mapping[str, Any] | None) -> Held | None:
    """What `current` answered."""
    return Held(datetime.fromisoformat(raw["since"]), raw["by"] or "RelMan", raw["reason"]) if raw else None


def held_now() -> Held | None:
    """The maintenance that is on; one query."""
    shape = JSONObject(since="began_at", by=display("began_by__"), reason="reason")
    return held_of(open_ones().values_list(shape, flat=True).first())


def state(actor: Actor) -> State:
    """Whether it is on, and what still runs: four queries, however much has ended."""
    going = [one.id for one in going_on()]
    queued = Promotion.objects.filter(status="queued", environment__in=permissions.visible_environments(actor))
    return State(held_now(), shown(actor, going), queued.count())
