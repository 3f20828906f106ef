"""Words that sentences about access share: lists of people, numbers of people, days. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from django.utils import timezone

from phases.models import User

SHOWN = 5
"""People that a sentence names before it counts the rest."""


def joined(words: Sequence[str]) -> str:
    """ "A", "A and B", "A, B and C"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def names(people: Sequence[User]) -> str:
    """The first few by name, and how many more."""
    shown = [person.display for person in people[:SHOWN]]
    rest = len(people) - len(shown)
    return joined([*shown, f"{rest} more"] if rest else shown)


def counted(people: Sequence[User]) -> str:
    """ "nobody", "1 person", "3 people"; accounts of programs are said to be that."""
    if not people:
        return "nobody"
    kind = ("account", "accounts") if all(person.machine for person in people) else ("person", "people")
    return f"{len(people)} {kind[0] if len(people) == 1 else kind[1]}"


def last_day(until: datetime | None, *, first: bool = False) -> str:
    """The last day on which a role counts, "31 Jul"; `first`: the moment from which on it counts no more."""
    if until is None:
        return ""
    local = timezone.localtime(until)
    midnight = local.time() == time(0)
    day = local if first or not midnight else local - timedelta(days=1)
    year = "" if day.year == timezone.localdate().year else f" {day.year}"
    return f"{day.day} {day:%b}{year}" + ("" if midnight else f" {day:%H:%M}")


def end_of(day: date | None) -> datetime | None:
    """The moment after a last day, in the reader's zone: a role "until 31 Jul" counts on all of 31 July."""
    if day is None:
        return None
    return timezone.make_aware(datetime.combine(day + timedelta(days=1), time(0)))


def day_of(until: datetime | None) -> str:
    """The last day as a date field takes it: 2026-07-31."""
    if until is None:
        return ""
    return (timezone.localtime(until) - timedelta(microseconds=1)).date().isoformat()
