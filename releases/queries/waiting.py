"""What waits for the reader: approvals that they can give, and outcomes that they can decide."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from phases import permissions
from phases.models import Phase
from releases.models import Promotion
from releases.queries.courses import Course, Reader, load
from releases.queries.next import standing, waits_for_me
from releases.queries.places import Move
from releases.queries.shared import Action, listed
from relman.actors import Actor

WAITING = 3
"""Rows above the board."""


@dataclass(frozen=True)
class Waiting:
    """One thing that waits for the reader."""

    promotion: int
    title: str
    text: str
    until: datetime | None
    kind: str
    action: Action


def waiting(actor: Actor) -> list[Waiting]:
    """What waits for the reader, the next deadline first: reads only the applications in which something waits."""
    phases = permissions.phases_with(actor, "approve") | permissions.phases_with(actor, "roll_back")
    if not phases:
        return []
    pressing = Promotion.objects.filter(status__in=("waiting", "errored"), environment__phase__in=phases)
    chosen = permissions.visible_applications(actor).filter(pk__in=pressing.values("environment__application"))
    view, courses = load(actor, chosen)
    return waiting_for(view, courses)[:WAITING]


def waiting_for(view: Reader, courses: Iterable[Course]) -> list[Waiting]:
    """Approvals that the reader can give, and outcomes that they can decide; the next deadline first."""
    found = [one for course in courses for phase in course.shown for one in _waiting_in(view, course, phase)]
    return sorted(found, key=lambda one: (one.until is None, one.until or view.now, one.promotion))


def _waiting_in(view: Reader, course: Course, phase: Phase) -> Iterable[Waiting]:
    place, name = course.places[phase.pk], course.application.name
    for move in place.open:
        roles = waits_for_me(view, phase.pk, move)
        if roles:
            text = f"to **{phase.name}** as {listed([_lower(role) for role in roles])}.{_others(view, phase, move)}"
            action = Action("review", "Review", f"/approvals/{move.id}/")
            yield Waiting(move.id, f"{name} {move.build.version}", text, move.approve_before, "approval", action)
    bad = place.trouble
    if bad and bad.status == "errored" and view.may("roll_back", phase.pk, course.application.pk):
        text = f"to **{phase.name}**: its outcome is unknown, and {phase.name} is blocked until someone decides."
        action = Action("resolve", "Resolve", f"/promotions/{bad.id}/")
        yield Waiting(bad.id, f"{name} {bad.build.version}", text, None, "errored", action)


def _lower(role: str) -> str:
    """A role inside a sentence: "business owner", but "QA engineer" and "DevOps"."""
    first = role.split(" ")[0]
    return role if first.upper() == first or first[1:] != first[1:].lower() else role[0].lower() + role[1:]


def _others(view: Reader, phase: Phase, move: Move) -> str:
    """Who has approved already."""
    seats = standing(view, phase.pk, move)
    names = [view.names.get(one, "someone") for seat in seats for one in seat.by]
    verb = "has" if len(names) == 1 else "have"
    return f" {listed(names)} {verb} approved." if names else ""
