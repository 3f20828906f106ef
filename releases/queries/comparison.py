"""Two releases of one application side by side: their changes, their builds, and what each ran with where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from phases.models import Phase
from releases.models import Promotion, Release
from releases.queries.application import course_of
from releases.queries.courses import Course
from releases.queries.differences import changes_between, counts, differences, required
from releases.queries.release import Head, head_of
from releases.queries.shared import ChangeItem, Difference, Named
from relman.actors import Actor


@dataclass(frozen=True)
class Ran:
    """The last time that a release succeeded in a phase."""

    promotion: int
    at: datetime | None


@dataclass(frozen=True)
class SideBySide:
    """One phase: when each release ran there, and which keys were otherwise; without both there is no difference."""

    phase: Named
    a: Ran | None
    b: Ran | None
    differences: list[Difference]
    unchanged: int


@dataclass(frozen=True)
class Comparison:
    """What lies between two releases."""

    application: Named
    a: Head
    b: Head
    changes: list[ChangeItem]
    change_counts: dict[str, int]
    people: int
    required_new: list[str]
    required_gone: list[str]
    days: timedelta
    phases: list[SideBySide]
    builds: list[Head]
    """Both, or the one that was compared with itself."""


def compare(actor: Actor, a: Release, b: Release) -> Comparison:
    """What lies between two releases of one application, from the lower to the higher."""
    low, high = sorted((a, b), key=lambda one: one.precedence)
    changes = changes_between(high, low) if low.pk != high.pk else []
    before, after = (set(required(one.manifest)) for one in (low, high))
    _, course = course_of(actor, a.application)
    heads = head_of(low), head_of(high)
    return Comparison(
        application=Named.of(a.application),
        a=heads[0],
        b=heads[1],
        changes=changes,
        change_counts=counts(changes),
        people=len({one.author for one in changes if one.author}),
        required_new=sorted(after - before),
        required_gone=sorted(before - after),
        days=high.published_at - low.published_at,
        phases=_phases(course, low, high) if low.pk != high.pk else [],
        builds=list(heads if low.pk != high.pk else heads[:1]),
    )


def _phases(course: Course, low: Release, high: Release) -> list[SideBySide]:
    """The phases that the reader sees and in which at least one of the two succeeded."""
    ran = _ran(course, low, high)
    found = [_beside(phase, ran.get((phase.pk, low.pk)), ran.get((phase.pk, high.pk))) for phase in course.shown]
    return [one for one in found if one.a or one.b]


def _ran(course: Course, *releases: Release) -> Mapping[tuple[int, int], Promotion]:
    """(phase, release) -> the last promotion that succeeded. One query."""
    places = {place.environment: place.phase for place in course.places.values()}
    rows = Promotion.objects.filter(environment__in=places, release__in=releases, status="succeeded")
    needed = rows.only("environment_id", "release_id", "finished_at", "snapshot").order_by("finished_at", "pk")
    return {(places[one.environment_id], one.release_id): one for one in needed}


def _beside(phase: Phase, a: Promotion | None, b: Promotion | None) -> SideBySide:
    diff, same = differences(a.snapshot, b.snapshot) if a and b else ([], 0)
    return SideBySide(Named.of(phase), _as_ran(a), _as_ran(b), diff, same)


def _as_ran(promotion: Promotion | None) -> Ran | None:
    return Ran(promotion.pk, promotion.finished_at) if promotion else None
