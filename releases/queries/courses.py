"""Every application's way through its pipeline, as one reader may see it.

`load` costs at most eight queries, however many applications there are; the board, the application
page and the sidebar share what one request has read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Now

from phases import permissions
from phases.models import Application, Environment, Grant, Phase, User, Variable
from releases.queries import maintenance
from releases.queries.maintenance import Held
from releases.queries.places import Build, Move, Place, build_of, newest_release, places, reached
from relman import clock
from relman.actors import Actor


@dataclass(frozen=True)
class Course:
    """One application's way: its places by phase, and the highest release that is not withdrawn."""

    application: Application
    phases: tuple[Phase, ...]
    """All phases of the pipeline in order, the invisible ones too: the gates count them."""
    places: Mapping[int, Place]
    """By phase; only those that the reader sees."""
    used: frozenset[int]
    """Phases in which the application has an environment, seen or not."""
    newest: Build | None = None

    @property
    def shown(self) -> list[Phase]:
        """The places' phases, in order."""
        return [phase for phase in self.phases if phase.pk in self.places]

    def before(self, phase: Phase) -> list[Phase]:
        """The phases before this one, the nearest first."""
        return [one for one in reversed(self.phases) if one.position < phase.position]

    def after(self, phase: Phase) -> Phase | None:
        """The next phase in which the reader sees the application."""
        return next((one for one in self.shown if one.position > phase.position), None)


@dataclass
class Reader:
    """Who reads, what they may, and what several applications' sentences need to know."""

    actor: Actor
    now: datetime
    phases: dict[int, Phase]
    """All phases of the visible pipelines, by id."""
    roles: dict[int, list[str]] = field(default_factory=dict)
    """Phase -> names of the reader's own roles there."""
    approvers: Mapping[int, Mapping[int, frozenset[int]]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    reached: Mapping[int, frozenset[int]] = field(default_factory=dict)
    """Release -> phases where it has succeeded."""
    maintenance: Held | None = None
    """While it is on, nothing starts."""
    keys: Mapping[int, frozenset[str]] = field(default_factory=dict)
    """Environment -> required keys that it sets."""

    @property
    def me(self) -> int:
        """The reader's account; 0: none."""
        return self.actor.user.pk if self.actor.user else 0

    def may(self, right: str, phase: int, application: int | None = None) -> bool:
        """Whether the reader has a right in a phase; no query."""
        found = permissions.access(self.actor)
        rights = found.within(phase)
        return "view" in rights and right in rights and found.covers(application)


def reader(actor: Actor, phases: QuerySet[Phase] | None = None) -> Reader:
    """The reader with all phases of the pipelines they see, and the database's time. One query beside the rights."""
    mine = Grant.objects.filter(
        permissions.CURRENT, Q(user=actor.user) | Q(group__user=actor.user), phase=OuterRef("pk")
    ).values("role__name")
    chosen = Phase.objects.filter(pipeline__in=permissions.visible_pipelines(actor)) if phases is None else phases
    rows = (
        chosen.select_related("pipeline", "pipeline__prerelease_until")
        .annotate(now=Now(), mine=ArraySubquery(mine), maintenance=maintenance.current())
        .order_by("pipeline__name", "pipeline_id", "position")
    )
    found = list(rows)
    if not found:
        return Reader(actor, clock.now(), {}, maintenance=maintenance.held_now())
    return Reader(
        actor,
        found[0].now,
        {one.pk: one for one in found},
        {one.pk: sorted(set(one.mine)) for one in found},
        maintenance=maintenance.held_of(found[0].maintenance),
    )


def load(
    actor: Actor, applications: QuerySet[Application] | None = None, *, sentences: bool = True
) -> tuple[Reader, list[Course]]:
    """The courses of these (default: all visible) applications, by pipeline and name.

    Without `sentences`, what only the sentences need is not read.
    """
    view = reader(actor)
    chosen = permissions.visible_applications(actor) if applications is None else applications
    courses = list(_courses(view, chosen))
    if sentences:
        complete(view, courses)
    return view, courses


def _courses(view: Reader, chosen: QuerySet[Application]) -> Iterator[Course]:
    applications = list(
        chosen.select_related("pipeline")
        .annotate(newest=newest_release(), everything=_everything())
        .order_by("pipeline__name", "pipeline_id", "name", "slug")
    )
    by_pipeline: dict[int, list[Phase]] = {}
    for phase in view.phases.values():
        by_pipeline.setdefault(phase.pipeline_id, []).append(phase)
    inside = Environment.objects.filter(application_id__in=[one.pk for one in applications])
    seen: dict[int, dict[int, Place]] = {}
    used: dict[int, set[int]] = {}
    for place in places(inside) if applications else ():
        used.setdefault(place.application, set()).add(place.phase)
        if view.may("view", place.phase, place.application):
            seen.setdefault(place.application, {})[place.phase] = place
    for one in applications:
        yield Course(
            application=one,
            phases=tuple(by_pipeline.get(one.pipeline_id, ())),
            places=seen.get(one.pk, {}),
            used=frozenset(used.get(one.pk, ())),
            newest=build_of(one.newest),
        )


def _everything() -> Subquery:
    """How many applications there are, whoever asks: the board says "12 of 16, by your access"."""
    rows = Application.objects.order_by().annotate(one=Value(1)).values("one").annotate(n=Count("pk")).values("n")
    return Subquery(rows, output_field=IntegerField())


def candidate(course: Course, phase: Phase) -> Build | None:
    """The release that stands before a phase: what the nearest phase before it runs, else the newest release.

    An optional phase that runs nothing is passed over. None when nothing newer than what is live stands there.
    """
    if phase.pk not in course.places:
        return None
    build, first = None, True
    for earlier in course.before(phase):
        if earlier.pk not in course.used:
            continue
        first = False
        place = course.places.get(earlier.pk)
        build = place.live.build if place and place.live else None
        if build or not earlier.optional:
            break
    if first:
        build = course.newest
    live = course.places[phase.pk].live
    if build is None or build.withdrawn or (live and build.precedence <= live.build.precedence):
        return None
    return build


def trouble(course: Course, phase: Phase) -> Move | None:
    """The bad end that still matters: an unknown outcome always, others until a newer release comes up."""
    place = course.places[phase.pk]
    if place.trouble is None or place.trouble.status == "errored":
        return place.trouble
    comes = candidate(course, phase)
    moved_on = comes is not None and comes.precedence > place.trouble.build.precedence
    return None if moved_on else place.trouble


def complete(view: Reader, courses: Iterable[Course]) -> None:
    """Read what the sentences need: approvers and names, where candidates succeeded, keys they require."""
    courses = list(courses)
    coming = [
        (course.places[phase.pk], build)
        for course in courses
        for phase in course.shown
        if (build := candidate(course, phase)) is not None
    ]
    waiting = [move for course in courses for place in course.places.values() for move in place.open]
    view.reached = reached({build.id for _, build in coming} | {move.build.id for move in waiting})
    view.keys = _keys(coming)
    everywhere = [place for course in courses for place in course.places.values()]
    approvers_for(view, [(place.phase, move) for place in everywhere for move in place.open])


def approvers_for(view: Reader, waiting: Iterable[tuple[int, Move]], *, names: bool = True) -> None:
    """Read whose approval counts in the phases where something waits, and their names. At most three queries."""
    needed = {phase for phase, move in waiting if move.rules and move.status == "waiting"}
    if not needed:
        return
    view.approvers = {**view.approvers, **permissions.approver_roles_of(needed)}
    if not names:
        return
    people = {person for phase in needed for person in view.approvers[phase]} - set(view.names)
    view.names.update({user.pk: user.display for user in User.objects.filter(pk__in=people)})


def _keys(coming: Iterable[tuple[Place, Build]]) -> dict[int, frozenset[str]]:
    """Environment -> which of the keys that what comes there requires are set."""
    wanted = {place.environment: set(build.required) for place, build in coming}
    keys = set().union(*wanted.values())
    if not keys:
        return {}
    rows = Variable.objects.filter(environment_id__in=list(wanted), key__in=keys).order_by()
    found: dict[int, set[str]] = {}
    for environment, key in rows.values_list("environment_id", "key"):
        found.setdefault(environment, set()).add(key)
    return {environment: frozenset(here) for environment, here in found.items()}
