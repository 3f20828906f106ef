"""An application: its way through the phases, why its furthest release is not further, and its releases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db.models import Count, Q, QuerySet

from phases import permissions
from phases.models import Application, Environment, Phase, Rule, Variable
from releases import gates
from releases.models import Promotion, Release
from releases.queries.board import Tile, tiles
from releases.queries.cells import Cell, cells
from releases.queries.courses import Course, Reader, candidate, load
from releases.queries.next import of_application, of_place, waits_for_me
from releases.queries.offers import preview, verdicts_of
from releases.queries.shared import Action, Named, Next, Offer, Page, count, page_of, promote_to, window
from relman.actors import Actor
from relman.errors import NotFound

NEWEST = 10
LINES = 50
"""Releases on one page of the list."""


@dataclass(frozen=True)
class Head:
    """The application itself."""

    slug: str
    name: str
    description: str
    pipeline: Named
    repository: str
    releases: int
    keys: int


@dataclass(frozen=True)
class Gate:
    """What stands between two phases, in words."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Card:
    """One phase of the application."""

    phase: Named
    exists: bool
    optional: bool
    version: str | None
    since: datetime | None
    health: str
    health_text: str
    instances: str
    address: str
    may_open: bool
    gate: Gate | None
    next: Next
    drift: str = ""
    """Where what runs is not what the record says."""


@dataclass(frozen=True)
class Why:
    """Every gate of the release that is furthest on its way, open ones first."""

    release: str
    phase: Named
    verdicts: list[gates.Verdict]
    open: int
    action: Action | None


@dataclass(frozen=True)
class ReleaseLine:
    """One release and how far it has come."""

    version: str
    changes: int
    author: str
    state: str
    cells: list[Cell]
    action: Action | None
    published_at: datetime


@dataclass(frozen=True)
class About:
    """Who publishes, and how long a release takes (empty until it is measured)."""

    publishers: list[str]
    owner: str = ""
    lead_time: str = ""


@dataclass(frozen=True)
class ApplicationPage:
    """The whole page."""

    application: Head
    cards: list[Card]
    why: Why | None
    releases: list[ReleaseLine]
    about: About
    offers: list[Offer]
    next: Next


@dataclass(frozen=True)
class ReleasesPage:
    """All releases of an application."""

    application: Head
    phases: list[Named]
    releases: list[ReleaseLine]
    page: Page
    offers: list[Offer] = field(default_factory=list)


@dataclass(frozen=True)
class AppLine:
    """One application in the list of all."""

    application: Named
    pipeline: Named
    description: str
    tiles: list[Tile]
    next: Next
    releases: int

    @property
    def runs(self) -> list[Tile]:
        """Where something is live."""
        return [tile for tile in self.tiles if tile.version]


@dataclass(frozen=True)
class ApplicationsPage:
    """All applications that the reader sees."""

    applications: list[AppLine]
    may_create: bool


def applications_page(actor: Actor) -> ApplicationsPage:
    """The list of all visible applications."""
    view, courses = load(actor)
    actor.memo["courses"] = (view, courses)
    counted = Release.objects.filter(application__in=[course.application.pk for course in courses]).order_by()
    sizes = dict(counted.values("application").annotate(n=Count("pk")).values_list("application", "n"))
    lines = [
        AppLine(
            Named.of(course.application),
            Named.of(course.application.pipeline),
            course.application.description,
            tiles(view, course),
            of_application(view, course),
            sizes.get(course.application.pk, 0),
        )
        for course in courses
    ]
    return ApplicationsPage(lines, actor.is_superuser)


def course_of(actor: Actor, application: Application) -> tuple[Reader, Course]:
    """One application's course. NotFound when the reader does not see it."""
    view, courses = load(actor, permissions.visible_applications(actor).filter(pk=application.pk))
    if not courses:
        raise NotFound()
    return view, courses[0]


def application_page(actor: Actor, application: Application) -> ApplicationPage:
    """The page of one application. NotFound when the reader does not see it."""
    view, course = course_of(actor, application)
    newest = Release.objects.filter(application=application).order_by("-published_at", "-id")[:NEWEST]
    return ApplicationPage(
        application=head(view, course),
        cards=_cards(view, course),
        why=_why(actor, view, course),
        releases=_lines(view, course, newest),
        about=About(_publishers(course), application.owner.display if application.owner else ""),
        offers=offers_on(view, course),
        next=of_application(view, course),
    )


def releases_page(
    actor: Actor, application: Application, *, q: str = "", state: str = "", page: int = 1
) -> ReleasesPage:
    """All releases, newest first. `q`: part of version, author or commit; `state`: yanked, quarantined."""
    view, course = course_of(actor, application)
    chosen = Release.objects.filter(application=application)
    if q.strip():
        word = q.strip()
        chosen = chosen.filter(Q(version__icontains=word) | Q(author__icontains=word) | Q(commit__istartswith=word))
    if state in ("yanked", "quarantined"):
        chosen = chosen.filter(withdrawn=state)
    where = page_of(chosen.count(), page, LINES)
    return ReleasesPage(
        application=head(view, course),
        phases=[Named.of(phase) for phase in course.phases if view.may("view", phase.pk)],
        releases=_lines(view, course, chosen.order_by("-published_at", "-id")[window(where, LINES)]),
        page=where,
        offers=offers_on(view, course),
    )


def head(view: Reader, course: Course) -> Head:
    """The application itself, with how many releases and configuration keys it has."""
    one = course.application
    keys = Variable.objects.filter(environment__in=[place.environment for place in course.places.values()])
    return Head(
        one.slug,
        one.name,
        one.description,
        Named.of(one.pipeline),
        one.repository,
        Release.objects.filter(application=one).count(),
        keys.values("key").distinct().count(),
    )


def address_of(application: str, phase: str) -> str:
    """Where people reach an environment."""
    return f"http://{application}.{phase}.localhost:{settings.GATEWAY_PORT}/"


# --- cards


def _cards(view: Reader, course: Course) -> list[Card]:
    asked = _rules(course)
    columns = [phase for phase in course.phases if view.may("view", phase.pk)]
    return [_card(view, course, phase, asked.get(phase.pk, [])) for phase in columns]


def _rules(course: Course) -> Mapping[int, list[str]]:
    """Phase -> what its rules ask for, in words."""
    found: dict[int, list[str]] = {}
    for rule in Rule.objects.filter(phase__in=course.phases).select_related("role").order_by("name"):
        found.setdefault(rule.phase_id, []).append(f"{rule.count} {rule.role.name}")
    return found


def _card(view: Reader, course: Course, phase: Phase, rules: list[str]) -> Card:
    place = course.places.get(phase.pk)
    gate = _gate(view, course, phase, rules) if course.before(phase) else None
    if place is None:
        may = view.may("configure", phase.pk, course.application.pk)
        way = f"/apps/{course.application.slug}/{phase.slug}/new/"
        said = Next("none", "Not used", action=Action("configure", f"Set up {phase.name}", way) if may else None)
        return Card(Named.of(phase), False, phase.optional, None, None, "unknown", "", "", "", False, gate, said)
    live = place.live
    return Card(
        phase=Named.of(phase),
        exists=True,
        optional=phase.optional,
        version=live.build.version if live else None,
        since=live.finished_at if live else None,
        health=place.health if live else "unknown",
        health_text=health_text(place.health, place.health_detail) if live else "",
        instances=count(place.instances, "instance") if live else "",
        address=address_of(course.application.slug, phase.slug),
        may_open=phase.public or view.may("open", phase.pk, course.application.pk),
        gate=gate,
        next=of_place(view, course, phase),
        drift=place.drift.text if place.drift and live else "",
    )


def health_text(health: str, detail: str = "") -> str:
    """Health as a word, with what was seen when it is bad."""
    word = {"healthy": "Healthy", "unhealthy": "Unhealthy"}.get(health, "Health unknown")
    return f"{word}: {detail}" if health == "unhealthy" and detail else word


def _gate(view: Reader, course: Course, phase: Phase, rules: list[str]) -> Gate:
    place = course.places.get(phase.pk)
    text = ", ".join(rules) if rules else "no approval needed"
    if place and place.running:
        return Gate(text, "run")
    if place and any(move.status == "waiting" for move in place.open):
        return Gate(text, "warn")
    return Gate(text, "ok" if place and place.live else "")


# --- why not further


def _why(actor: Actor, view: Reader, course: Course) -> Why | None:
    """The furthest release on its way: what waits for the last phase that something waits for."""
    for phase in reversed(course.shown):
        place = course.places[phase.pk]
        waiting = next((move for move in reversed(place.open) if move.status == "waiting"), None)
        if waiting:
            promotion = _promotion(waiting.id)
            mine = waits_for_me(view, phase.pk, waiting)
            url = f"/approvals/{waiting.id}/" if mine else f"/promotions/{waiting.id}/"
            action = Action("review" if mine else "view", "Review" if mine else "View", url)
            return why_of(waiting.build.version, phase, verdicts_of(promotion, actor), action)
        build = candidate(course, phase)
        if build and not place.open:
            environment = Environment.objects.select_related("application__pipeline", "phase").get(pk=place.environment)
            release = Release.objects.prefetch_related("artifacts").get(pk=build.id)
            offer = preview(release, environment, actor=actor)
            may = promote_to(course.application, phase, build.version) if offer.allowed else None
            return why_of(build.version, phase, offer.verdicts, may)
    return None


def why_of(version: str, phase: Phase, verdicts: list[gates.Verdict], action: Action | None) -> Why:
    """The verdicts with the open ones first."""
    ordered = open_first(verdicts)
    return Why(version, Named.of(phase), ordered, sum(is_open(one) for one in verdicts), action)


def is_open(verdict: gates.Verdict) -> bool:
    """Whether a gate still holds."""
    return verdict.state in ("waiting", "failed")


def open_first(verdicts: list[gates.Verdict]) -> list[gates.Verdict]:
    """Failed, then waiting, then the others, each in the gates' order."""
    return sorted(verdicts, key=lambda one: ("failed", "waiting", "overridden", "passed").index(one.state))


def _promotion(number: int) -> Promotion:
    return Promotion.objects.select_related(
        "release", "environment__application__pipeline", "environment__phase", "requested_by"
    ).get(pk=number)


# --- releases


def _lines(view: Reader, course: Course, releases: QuerySet[Release]) -> list[ReleaseLine]:
    chosen = list(releases.defer("manifest", "notes").annotate(items=Count("changes")))
    grid = cells(view, course, [one.pk for one in chosen])
    coming = {
        build.id: phase
        for phase in course.shown
        if (build := candidate(course, phase)) and not course.places[phase.pk].open
    }
    return [
        ReleaseLine(
            version=one.version,
            changes=one.items,
            author=one.author,
            state=one.withdrawn,
            cells=grid[one.pk],
            action=_action(view, course, one, coming.get(one.pk)),
            published_at=one.published_at,
        )
        for one in chosen
    ]


def _action(view: Reader, course: Course, release: Release, phase: Phase | None) -> Action | None:
    """The one thing to do with a release: review it, or bring it further."""
    for where in course.shown:
        for move in course.places[where.pk].open:
            if move.build.id == release.pk and waits_for_me(view, where.pk, move):
                return Action("review", "Review", f"/approvals/{move.id}/")
    if phase is None or not view.may("promote", phase.pk, course.application.pk):
        return None
    return promote_to(course.application, phase, release.version)


def _publishers(course: Course) -> list[str]:
    if not course.phases:
        return []
    return [user.display for user in permissions.people_who_can("publish", course.phases[0])]


def offers_on(view: Reader, course: Course) -> list[Offer]:
    """What the reader may begin on every page of an application."""
    slug, pk = course.application.slug, course.application.pk
    offers = []
    if course.phases and view.may("publish", course.phases[0].pk, pk):
        offers.append(Offer("publish", "New release", f"/apps/{slug}/releases/new/"))
    lacking = [phase for phase in course.phases if phase.pk not in course.used and view.may("configure", phase.pk, pk)]
    if lacking:
        offers.append(Offer("configure", f"Set up {lacking[0].name}", f"/apps/{slug}/{lacking[0].slug}/new/"))
    return offers
