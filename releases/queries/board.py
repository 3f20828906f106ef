"""The board: every visible application against every phase, and what happens next."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from phases import permissions
from phases.models import Application, Phase
from releases import statuses
from releases.queries.courses import Course, Reader, load, trouble
from releases.queries.first_run import FirstRun, first_run
from releases.queries.next import STATES, nexts, of_application, rank, state_of, steps_of
from releases.queries.places import Move, Place
from releases.queries.shared import (
    Named,
    Next,
    Page,
    fitted,
    near,
    page_of,
    window,
)
from releases.queries.waiting import WAITING, Waiting, waiting_for
from relman.actors import Actor
from relman.errors import NotFound

ROWS = 50
"""Applications on one page."""
MOST = 5000
"""Applications of an export."""
FILTERS = ("all", "person", "motion", "blocked", "scheduled", "ready", "current")


@dataclass(frozen=True)
class Pending:
    """The second line of a tile: what comes, in at most 24 characters."""

    kind: str
    text: str
    version: str
    promotion: int | None
    percent: int | None = None
    behind: str = ""
    """What is queued behind that which runs."""


@dataclass(frozen=True)
class Tile:
    """One application in one phase."""

    application: str
    phase: Named
    exists: bool
    version: str | None = None
    since: datetime | None = None
    health: str = "unknown"
    drift: str = ""
    """Where what runs is not what the record says, as one sentence."""
    ahead: bool = False
    joins_previous: bool = False
    joins_next: bool = False
    pending: Pending | None = None
    back: str = ""
    """Where the reader rolls it back; empty: not offered here."""


@dataclass(frozen=True)
class Row:
    """One application: a tile for each phase, and the one sentence."""

    application: Named
    tiles: list[Tile]
    next: Next
    state: str


@dataclass(frozen=True)
class GroupPhase:
    """A column's head."""

    slug: str
    name: str
    freeze_from: datetime | None = None


@dataclass(frozen=True)
class Group:
    """The rows of one pipeline that are on this page."""

    pipeline: Named
    phases: list[GroupPhase]
    rows: list[Row]
    count: int
    continued: bool


@dataclass(frozen=True)
class Board:
    """The whole page."""

    groups: list[Group]
    counts: dict[str, int]
    waiting: list[Waiting]
    page: Page
    visible: int
    total: int
    revision: str
    pipelines: list[Named] = field(default_factory=list)
    first_run: FirstRun | None = None


def board(actor: Actor, *, state: str = "", team: str = "", q: str = "", page: int = 1) -> Board:
    """One page of the board. `state`: a filter key; `team`: a pipeline's slug; `q`: name, slug, team or version."""
    view, courses = load(actor)
    actor.memo["courses"] = (view, courses)
    judged = _judged(view, courses, team, q)
    counts = _counts([state_of(one.kind) for _, one in judged])
    adrift = _only(judged, "drift")
    if adrift:
        counts["drift"] = len(adrift)
    judged = _only(judged, state)
    where, total = page_of(len(judged), page, ROWS), _total(actor, courses)
    # Where there is something that the reader may not see, it is no first run.
    started = any(course.newest for course in courses) or total > len(courses)
    return Board(
        groups=_groups(view, judged, window(where, ROWS)),
        counts=counts,
        waiting=waiting_for(view, courses)[:WAITING],
        page=where,
        visible=len(courses),
        total=total,
        revision=_revision(courses),
        pipelines=list(dict.fromkeys(Named.of(course.application.pipeline) for course in courses)),
        first_run=None if started else first_run(view, courses),
    )


def table(actor: Actor, *, state: str = "", team: str = "", q: str = "") -> list[tuple[str, Row]]:
    """All rows that the filters of the board leave, without pages, each with its pipeline's name; at most MOST."""
    view, courses = load(actor)
    judged = _only(_judged(view, courses, team, q), state)[:MOST]
    return [(course.application.pipeline.name, row_of(view, course, one)) for course, one in judged]


def row(actor: Actor, application: Application) -> Row:
    """One row of the board, as the board would draw it. NotFound when the reader does not see the application."""
    view, courses = load(actor, permissions.visible_applications(actor).filter(pk=application.pk))
    if not courses:
        raise NotFound()
    return row_of(view, courses[0], of_application(view, courses[0]))


def _judged(view: Reader, courses: Iterable[Course], team: str, q: str) -> list[tuple[Course, Next]]:
    matching = [course for course in courses if _matches(course, team, q.strip().lower())]
    return [(course, of_application(view, course)) for course in matching]


def _only(judged: list[tuple[Course, Next]], state: str) -> list[tuple[Course, Next]]:
    """Those in that state, the most pressing first in their group; all, when it is none of the states."""
    if state == "drift":
        return [item for item in judged if _drifts(item[0])]
    if state not in STATES:
        return judged
    chosen = [item for item in judged if state_of(item[1].kind) == state]
    return sorted(chosen, key=lambda item: (item[0].application.pipeline.name, rank(item[1].kind)))


def _matches(course: Course, team: str, q: str) -> bool:
    application, pipeline = course.application, course.application.pipeline
    if team and pipeline.slug != team:
        return False
    words = [application.name, application.slug, pipeline.name, pipeline.slug]
    versions = [move.build.version for place in course.places.values() for move in place.shown]
    return not q or any(q in word.lower() for word in (*words, *versions))


def _drifts(course: Course) -> bool:
    """Whether what runs in any of its places is not what the record says."""
    return any(place.drift and place.live for place in course.places.values())


def _counts(states: Sequence[str]) -> dict[str, int]:
    return {"all": len(states)} | {key: states.count(key) for key in FILTERS[1:]}


def _total(actor: Actor, courses: Sequence[Course]) -> int:
    """Of all applications: a person who sees everything needs no second count."""
    found = permissions.access(actor)
    if found.sees_all and found.token_applications is None:
        return len(courses)
    everything = getattr(courses[0].application, "everything", None) if courses else None
    return Application.objects.count() if everything is None else int(everything)


def _revision(courses: Iterable[Course]) -> str:
    """Changes whenever a tile does."""
    seen = [
        f"{move.id}.{move.revision}.{move.status}.{place.health}.{place.drift.key if place.drift else ''}"
        for course in courses
        for place in course.places.values()
        for move in place.shown
    ]
    return f"{zlib.crc32('|'.join(sorted(seen)).encode()):08x}"


# --- groups and rows


def _groups(view: Reader, judged: Sequence[tuple[Course, Next]], shown: slice) -> list[Group]:
    def team(item: tuple[Course, Next]) -> int:
        return item[0].application.pipeline_id

    sizes: dict[int, int] = {}
    for item in judged:
        sizes[team(item)] = sizes.get(team(item), 0) + 1
    begun = {team(item) for item in judged[: shown.start]}
    groups = []
    for pipeline, items in groupby(judged[shown], key=team):
        rows = list(items)
        phases = [phase for phase in rows[0][0].phases if view.may("view", phase.pk)]
        groups.append(
            Group(
                pipeline=Named.of(rows[0][0].application.pipeline),
                phases=[GroupPhase(phase.slug, phase.name) for phase in phases],
                rows=[row_of(view, course, one) for course, one in rows],
                count=sizes[pipeline],
                continued=pipeline in begun,
            )
        )
    return groups


def row_of(view: Reader, course: Course, one: Next) -> Row:
    """The row of one application, with the sentence it was given."""
    return Row(Named.of(course.application), tiles(view, course), one, state_of(one.kind))


def tiles(view: Reader, course: Course) -> list[Tile]:
    """One tile for each phase that the reader sees."""
    columns = [phase for phase in course.phases if view.may("view", phase.pk)]
    live = [_live(course.places.get(phase.pk)) for phase in columns]
    made = []
    for index, phase in enumerate(columns):
        before = live[index - 1] if index else None
        after = live[index + 1] if index + 1 < len(live) else None
        made.append(tile(view, course, phase, before, after))
    return made


def _live(place: Place | None) -> int | None:
    return place.live.build.id if place and place.live else None


def tile(view: Reader, course: Course, phase: Phase, before: int | None = None, after: int | None = None) -> Tile:
    """One application in one phase; `before` and `after`: the releases that the neighbours run."""
    place = course.places.get(phase.pk)
    slug, where = course.application.slug, Named.of(phase)
    if place is None:
        return Tile(slug, where, exists=False)
    mine = _live(place)
    coming = course.after(phase)
    return Tile(
        application=slug,
        phase=where,
        exists=True,
        version=place.live.build.version if place.live else None,
        since=place.live.finished_at if place.live else None,
        health=place.health if place.live else "unknown",
        drift=place.drift.text if place.drift and place.live else "",
        ahead=bool(mine and coming and _live(course.places[coming.pk]) != mine),
        joins_previous=mine is not None and mine == before,
        joins_next=mine is not None and mine == after,
        pending=_pending(view, course, phase, place),
        back=_back(view, course, phase, place),
    )


def _back(view: Reader, course: Course, phase: Phase, place: Place) -> str:
    """The last phase is rolled back from the board, in two clicks and a reason; elsewhere from its own page."""
    if phase != course.phases[-1] or not place.back:
        return ""
    may = view.may("roll_back", phase.pk, course.application.pk)
    return f"/apps/{course.application.slug}/{phase.slug}/rollback/" if may else ""


def _pending(view: Reader, course: Course, phase: Phase, place: Place) -> Pending | None:
    """What comes, or what went wrong, in this place."""
    move = place.running or (place.open[-1] if place.open else trouble(course, phase))
    if place.drift and place.live and not place.open:  # more pressing than an earlier failure
        return Pending("drift", place.drift.short, "", None)
    if move is None:
        return Pending("locked", "Locked", "", None) if place.holds else None
    said = min(nexts(view, course, phase), key=lambda one: rank(one.kind))
    kind = said.kind if move.status in statuses.OPEN else move.status
    if kind in ("health", "drift"):
        kind = "approval"
    text = fitted(move.build.version, _tail(view, move, kind))
    return Pending(kind, text, move.build.version, move.id, _percent(move), _behind(place.behind))


def _behind(queued: Sequence[Move]) -> str:
    """`4.19.0 queued`, `3 more queued`."""
    return f"{len(queued)} more queued" if queued[1:] else fitted(queued[0].build.version, "queued") if queued else ""


def _tail(view: Reader, move: Move, kind: str) -> str:
    if move.kind == "rollback" and kind == "running":
        return "rolling back"
    if kind == "scheduled" and move.not_before:
        return near(move.not_before, view.now)
    return {
        "running": "verifying" if move.status == "verifying" else "rolling out",
        "approval": "in approval",
        "queued": "queued",
        "failed": "failed",
        "rejected": "rejected",
        "errored": "outcome unknown",
        "locked": "held, locked",
        "frozen": "frozen",
    }.get(kind, "cannot start")


def _percent(move: Move) -> int | None:
    if move.status not in statuses.ACTIVE:
        return None
    at, total = steps_of(move)
    return round(100 * (at - 1) / total) if total else 0
