"""What stands around every page: the sidebar's phases with their state, and what waits for the reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import OuterRef, Subquery

from phases import permissions
from phases.models import Phase
from releases import statuses
from releases.models import Promotion
from releases.queries.courses import Course, Reader, approvers_for, reader
from releases.queries.maintenance import Held
from releases.queries.next import waits_for_me
from releases.queries.places import TROUBLE, moves
from releases.queries.shared import count
from relman.actors import Actor

WORST = ("failed", "attention", "wait", "run", "ok", "unknown")


@dataclass(frozen=True)
class ShellPhase:
    """A phase, or a pipeline, in the sidebar."""

    pipeline: str
    slug: str
    name: str
    kind: str
    words: str


@dataclass(frozen=True)
class Shell:
    """All that the shell shows."""

    waiting_for_you: int
    applications: int
    phases: list[ShellPhase] = field(default_factory=list)
    pipelines: list[ShellPhase] = field(default_factory=list)
    role: str = ""
    may_create: bool = False
    may_publish: bool = False
    maintenance: Held | None = None


@dataclass
class _Tally:
    """What is true of one phase."""

    failed: int = 0
    errored: int = 0
    drifted: int = 0
    unhealthy: int = 0
    waiting: int = 0
    running: int = 0
    healthy: int = 0

    def add(self, other: _Tally) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def said(self) -> tuple[str, str]:
        """The kind and the words of the worst that is true."""
        for kind, number, noun in (
            ("failed", self.failed, "failed promotion"),
            ("attention", self.errored, "unknown outcome"),
            ("drift", self.drifted, "drifted application"),
            ("attention", self.unhealthy, "unhealthy application"),
            ("wait", self.waiting, "waiting promotion"),
            ("run", self.running, "promotion running"),
        ):
            if number:
                plural = "promotions running" if noun == "promotion running" else ""
                return kind, count(number, noun, plural)
        return ("ok", "Healthy") if self.healthy else ("unknown", "Health unknown")


def shell(actor: Actor) -> Shell:
    """The shell for one reader. What the page itself has read is not read again."""
    known: tuple[Reader, list[Course]] | None = actor.memo.get("courses")
    if known is not None:
        view, courses = known
        return _shell(view, _mine(view, courses), len(courses), _from_courses(courses))
    view = reader(actor)
    return _shell(view, _waiting(view), permissions.visible_applications(actor).count(), _tallies(view))


def _shell(view: Reader, waiting: int, applications: int, tallies: Mapping[int, _Tally]) -> Shell:
    shown = [phase for phase in view.phases.values() if view.may("view", phase.pk)]
    teams: dict[int, list[Phase]] = {}
    for phase in shown:
        teams.setdefault(phase.pipeline_id, []).append(phase)
    one = len(teams) == 1
    return Shell(
        waiting_for_you=waiting,
        applications=applications,
        phases=[_phase(phase, tallies.get(phase.pk, _Tally())) for phase in shown] if one else [],
        pipelines=[] if one else [_pipeline(phases, tallies) for phases in teams.values()],
        role=_role(view),
        may_create=view.actor.is_superuser,
        maintenance=view.maintenance,
        may_publish=any(view.may("publish", phase.pk) for phase in view.phases.values()),
    )


def _phase(phase: Phase, tally: _Tally) -> ShellPhase:
    kind, words = tally.said()
    return ShellPhase(phase.pipeline.slug, phase.slug, phase.name, kind, words)


def _pipeline(phases: Sequence[Phase], tallies: Mapping[int, _Tally]) -> ShellPhase:
    whole = _Tally()
    for phase in phases:
        whole.add(tallies.get(phase.pk, _Tally()))
    kind, words = whole.said()
    pipeline = phases[0].pipeline
    return ShellPhase(pipeline.slug, pipeline.slug, pipeline.name, kind, words)


def _role(view: Reader) -> str:
    """The reader's role furthest along the way; an administrator without one is that."""
    for phase in sorted(view.phases.values(), key=lambda one: -one.position):
        if view.roles.get(phase.pk):
            return view.roles[phase.pk][0]
    return "Administrator" if view.actor.is_superuser else ""


# --- from what the page has read


def _mine(view: Reader, courses: Iterable[Course]) -> int:
    return sum(
        bool(waits_for_me(view, place.phase, move))
        for course in courses
        for place in course.places.values()
        for move in place.open
    )


def _from_courses(courses: Iterable[Course]) -> dict[int, _Tally]:
    found: dict[int, _Tally] = {}
    for course in courses:
        for place in course.places.values():
            tally = found.setdefault(place.phase, _Tally())
            ended = place.trouble.status if place.trouble else ""
            states = [move.status for move in place.open]
            tally.drifted += bool(place.drift and place.live)
            _count(tally, place.health if place.live else "", ended, states)
    return found


def state_of_phase(courses: Iterable[Course], phase: Phase) -> tuple[str, str]:
    """The kind and the words of the worst that is true of a phase in these courses; no query."""
    courses = list(courses)
    if not any(phase.pk in course.places for course in courses):
        return "none", "Nothing is set up"
    if not any(place.live or place.open for one in courses if (place := one.places.get(phase.pk))):
        return "none", "Nothing is deployed yet"
    return _from_courses(courses).get(phase.pk, _Tally()).said()


def _count(tally: _Tally, health: str, ended: str, states: Sequence[str]) -> None:
    tally.healthy += health == "healthy"
    tally.unhealthy += health == "unhealthy"
    tally.failed += ended == "failed"
    tally.errored += ended == "errored"
    tally.waiting += "waiting" in states
    tally.running += any(state in statuses.ACTIVE for state in states)


# --- or from two lean queries


def _waiting(view: Reader) -> int:
    """Approvals that the reader can give now; people who may approve nowhere cost no query."""
    where = [phase for phase in view.phases if view.may("approve", phase)]
    if not where:
        return 0
    inside = permissions.visible_environments(view.actor).filter(phase__in=where)
    phase_of = dict(inside.filter(promotions__status="waiting").values_list("pk", "phase_id"))
    if not phase_of:
        return 0
    found = moves(Promotion.objects.filter(environment__in=list(phase_of), status="waiting").exclude(rules=[]))
    approvers_for(view, [(phase_of[move.environment], move) for move in found], names=False)
    return sum(bool(waits_for_me(view, phase_of[move.environment], move)) for move in found)


def _tallies(view: Reader) -> dict[int, _Tally]:
    """Phase -> what is true of it. Two queries."""
    inside = permissions.visible_environments(view.actor)
    last = Promotion.objects.filter(environment=OuterRef("pk"))
    live = last.filter(status="succeeded").order_by("-finished_at")
    bad = last.filter(status__in=TROUBLE).order_by("-finished_at")
    rows = inside.order_by().annotate(
        live_at=Subquery(live.values("finished_at")[:1]),
        bad_at=Subquery(bad.values("finished_at")[:1]),
        bad=Subquery(bad.values("status")[:1]),
    )
    states: dict[int, list[str]] = {}
    opened = Promotion.objects.filter(status__in=statuses.OPEN, environment__in=inside)
    for environment, status in opened.values_list("environment_id", "status"):
        states.setdefault(environment, []).append(status)
    found: dict[int, _Tally] = {}
    for pk, phase, health, drift, live_at, bad_at, ended in rows.values_list(
        "pk", "phase_id", "health", "drift", "live_at", "bad_at", "bad"
    ):
        over = live_at and bad_at and bad_at < live_at and ended != "errored"
        tally = found.setdefault(phase, _Tally())
        tally.drifted += bool(drift and live_at)
        _count(tally, health if live_at else "", "" if over else ended or "", states.get(pk, []))
    return found
