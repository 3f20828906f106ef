"""How an environment was: changes of its health as rows, and as a strip of equal slots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import QuerySet

from phases.models import Environment, HealthChange
from releases.models import Promotion
from releases.queries.shared import clock
from relman.clock import now as now_of

SPANS: Mapping[str, tuple[str, timedelta, timedelta]] = {
    "24h": ("24 h", timedelta(hours=24), timedelta(minutes=30)),
    "7d": ("7 days", timedelta(days=7), timedelta(hours=3)),
}
"""Key -> its words, its length, the length of a slot."""
SLOTS: Mapping[str, str] = {"healthy": "", "unknown": "u", "restarted": "w", "unhealthy": "w"}
"""State -> the class of its slot; of several in one slot the last in this order shows."""
WORST = tuple(SLOTS)
NAMED = 4
"""Troubles that are told in words."""


@dataclass(frozen=True)
class Stretch:
    """A time in which the environment was in one state; a restart is a moment."""

    state: str
    begin: datetime
    end: datetime
    detail: str = ""


@dataclass(frozen=True)
class HealthStrip:
    """The last day, or week, in slots."""

    span: str
    title: str
    slot: str
    slots: list[str]
    """The class of each, oldest first."""
    text: str
    """The same in words, for whoever does not see the strip."""
    troubles: list[str] = field(default_factory=list)
    """The newest, one sentence each."""


def health_changes(environment: Environment) -> QuerySet[HealthChange]:
    """Rows of its history, newest first."""
    return HealthChange.objects.filter(environment=environment).order_by("-id")


def restarts_of(environment: Environment, promotion: Promotion) -> int:
    """How often instances of this promotion ended by themselves and were started again, as last looked at; 0 when
    something else was found there."""
    seen = environment.observed
    return int(seen.get("restarts", 0)) if seen.get("promotion") == promotion.pk else 0


def health_strip(environment: Environment, span: str = "24h") -> HealthStrip:
    """The strip of one span (24h or 7d). One query."""
    key = span if span in SPANS else "24h"
    title, length, slot = SPANS[key]
    now = now_of()
    rows = list(HealthChange.objects.filter(environment=environment, at__gte=now - length).order_by("at", "id"))
    known = stretches(rows, environment.health if environment.health_at else "unknown", now - length, now)
    count = round(length / slot)
    begin = now - length
    slots = [SLOTS[_worst(known, begin + slot * number, begin + slot * (number + 1))] for number in range(count)]
    said = [_sentence(one, now) for one in reversed(known) if one.state in ("unhealthy", "restarted")]
    more = f" And {len(said) - NAMED} more." if len(said) > NAMED else ""
    text = f"{' '.join(said[:NAMED])}{more}" or _quiet(known, title)
    every = f"{slot // timedelta(minutes=1)} min" if slot < timedelta(hours=1) else f"{slot // timedelta(hours=1)} h"
    return HealthStrip(key, f"Health, {title}", every, slots, text, said[:NAMED])


def last_day(environments: Sequence[Environment]) -> dict[int, list[Stretch]]:
    """Environment -> how it was in the last 24 h. One query for all of them."""
    end = now_of()
    begin = end - SPANS["24h"][1]
    rows: dict[int, list[HealthChange]] = {}
    changes = HealthChange.objects.filter(environment__in=[one.pk for one in environments], at__gte=begin)
    for row in changes.order_by("at", "id"):
        rows.setdefault(row.environment_id, []).append(row)
    return {
        one.pk: stretches(rows.get(one.pk, []), one.health if one.health_at else "unknown", begin, end)
        for one in environments
    }


def slots_of(known: Sequence[Stretch]) -> list[str]:
    """The class of each half hour of a whole day's stretches, oldest first."""
    begin, slot = known[0].begin, SPANS["24h"][2]
    count = round((known[-1].end - begin) / slot)
    return [SLOTS[_worst(known, begin + slot * number, begin + slot * (number + 1))] for number in range(count)]


def stretches(rows: Sequence[HealthChange], today: str, begin: datetime, end: datetime) -> list[Stretch]:
    """The whole time from begin to end, as the rows tell it; without any it was as it is."""
    found: list[Stretch] = []
    state, since, detail = rows[0].before if rows else today, begin, ""
    for row in rows:
        if row.health == row.before:
            found.append(Stretch("restarted", row.at, row.at, row.detail))
            continue
        found.append(Stretch(state, since, row.at, detail))
        state, since, detail = row.health, row.at, row.detail
    return [*found, Stretch(state, since, end, detail)]


def _worst(known: Sequence[Stretch], begin: datetime, end: datetime) -> str:
    inside = [one.state for one in known if one.begin < end and one.end >= begin]
    return max(inside, key=WORST.index, default="unknown")


def _sentence(one: Stretch, now: datetime) -> str:
    if one.state == "restarted":
        return f"Restarted {clock(one.begin, now)}."
    until = "until now" if one.end >= now else f"to {clock(one.end, now)}"
    return f"Unhealthy {clock(one.begin, now)} {until}: {one.detail or 'no reason noted.'}"


def _quiet(known: Sequence[Stretch], title: str) -> str:
    states = {one.state for one in known}
    if states == {"healthy"}:
        return f"Healthy for the last {title}."
    return "Healthy since it is looked at." if "healthy" in states else "Nothing is known yet."
