"""The environments of one phase: where each runs, how large, and how they were in the last 24 hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from phases.models import Environment, Phase
from releases import statuses
from releases.models import Promotion
from releases.queries.application import address_of
from releases.queries.cells import lines
from releases.queries.courses import Course
from releases.queries.health import Stretch, last_day, slots_of
from releases.queries.keys import phase_before
from releases.queries.shared import Named, PromotionLine, clock, count
from relman import words

STRIPS = 10
"""Applications whose last day is drawn; those with trouble first."""


@dataclass(frozen=True)
class PlaceLine:
    """One environment of the phase."""

    application: Named
    address: str
    driver: str
    size: str
    against: str
    """Its size beside that in the phase before; empty: there is none."""
    components: list[str]
    running: str
    """How many instances were seen, of how many."""
    seen_at: datetime | None
    kind: str
    """Of its health, as a status."""
    problems: int
    """What its last check found wrong."""


@dataclass(frozen=True)
class Strip:
    """One application's last day."""

    application: Named
    slots: list[str]
    words: str
    trouble: bool


@dataclass(frozen=True)
class Facts:
    """The phase in four figures."""

    serving: int
    of: int
    states: str
    """`5 healthy, 1 unhealthy`."""
    healthy_for: str
    """How much of the time that was looked at all were healthy; empty: nothing is known."""
    last: PromotionLine | None
    """What runs now, else what ended last."""
    running: bool
    coming: int
    """Promotions that wait or are queued."""


@dataclass(frozen=True)
class Infrastructure:
    """All of it."""

    places: list[PlaceLine]
    strips: list[Strip]
    more: int
    """Applications whose last day is not drawn."""
    facts: Facts


def infrastructure(courses: Sequence[Course], phase: Phase) -> Infrastructure:
    """The environments of the phase in these courses. Five queries, however many there are."""
    here = [course for course in courses if phase.pk in course.places]
    numbers = [course.places[phase.pk].environment for course in here]
    rows = Environment.objects.filter(pk__in=numbers).prefetch_related("components")
    environments = {one.application_id: one for one in rows}
    serving = [course for course in here if course.places[phase.pk].live]
    days = last_day([environments[course.application.pk] for course in serving])
    strips = [_strip(course, days[course.places[phase.pk].environment]) for course in serving]
    return Infrastructure(
        places=[_place(course, environments[course.application.pk], phase) for course in here],
        strips=sorted(strips, key=lambda one: not one.trouble)[:STRIPS],
        more=max(0, len(strips) - STRIPS),
        facts=_facts(here, phase, numbers, days),
    )


def _place(course: Course, row: Environment, phase: Phase) -> PlaceLine:
    seen: Mapping[str, Any] = row.observed or {}
    live = course.places[phase.pk].live
    fits = bool(live and seen.get("promotion") == live.id)
    running = f"{seen['running']} of {seen['wanted']} running" if fits else "Not looked at yet"
    return PlaceLine(
        application=Named.of(course.application),
        address=address_of(course.application.slug, phase.slug),
        driver=row.driver,
        size=_size(row),
        against=_against(course, row, phase),
        components=[one.name for one in row.components.all()],
        running=running if live else "",
        seen_at=row.health_at if fits else None,
        kind=row.health if live else "none",
        problems=sum(not one["ok"] for one in row.findings),
    )


def _size(row: Environment) -> str:
    parts = [count(row.instances, "instance")]
    if row.memory:
        parts.append(f"{row.memory} MiB")
    if row.cpu:
        parts.append(f"{row.cpu.normalize():f} core{'' if row.cpu == 1 else 's'}")
    return ", ".join(parts)


def _against(course: Course, row: Environment, phase: Phase) -> str:
    before = phase_before(course, phase)
    if before is None:
        return ""
    other = course.places[before.pk].instances
    if other == row.instances:
        return f"As many as in {before.name}"
    whole, rest = divmod(row.instances, other)
    return f"{whole} times as many as in {before.name}" if not rest else f"{before.name} has {other}"


def _strip(course: Course, known: Sequence[Stretch]) -> Strip:
    bad = [one for one in known if one.state in ("unhealthy", "restarted")]
    return Strip(Named.of(course.application), slots_of(known), _said(known, bad), bool(bad))


def _said(known: Sequence[Stretch], bad: Sequence[Stretch]) -> str:
    """The newest trouble, or that there was none."""
    if not bad:
        return "No incident" if any(one.state == "healthy" for one in known) else "Not looked at yet"
    newest, end = bad[-1], known[-1].end
    if newest.state == "restarted":
        return f"Restarted {clock(newest.begin, end)}"
    if newest.end >= end:
        return f"Unhealthy since {clock(newest.begin, end)}"
    return f"Unhealthy for {words.duration((newest.end - newest.begin).total_seconds())}, {clock(newest.begin, end)}"


def _facts(
    here: Sequence[Course], phase: Phase, numbers: Sequence[int], days: Mapping[int, Sequence[Stretch]]
) -> Facts:
    places = [course.places[phase.pk] for course in here]
    served = [one for one in places if one.live]
    health = [one.health for one in served]
    states = [f"{health.count(state)} {state}" for state in ("healthy", "unhealthy", "unknown") if state in health]
    chosen = Promotion.objects.filter(environment__in=numbers)
    now = lines(chosen.filter(status__in=statuses.ACTIVE).order_by("-started_at")[:1])
    ended = [] if now else lines(chosen.filter(status__in=statuses.ENDED).order_by("-finished_at")[:1])
    return Facts(
        serving=len(served),
        of=len(here),
        states=", ".join(states) or "Nothing is deployed yet",
        healthy_for=_share(days),
        last=next(iter([*now, *ended]), None),
        running=bool(now),
        coming=sum(move.status in statuses.PENDING for one in places for move in one.open),
    )


def _share(days: Mapping[int, Sequence[Stretch]]) -> str:
    """`99.9 %`: healthy time of all, of the time in which their health was known; never rounded up to 100 %."""
    spent = {"healthy": timedelta(), "unhealthy": timedelta()}
    for known in days.values():
        for one in known:
            if one.state in spent:
                spent[one.state] += one.end - one.begin
    whole = sum(spent.values(), timedelta())
    if not whole:
        return ""
    share = 100 * (spent["healthy"] / whole)
    return "100 %" if not spent["unhealthy"] else f"{min(share, 99.99):.2f} %"
