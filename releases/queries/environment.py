"""One application in one phase: its address, what it serves, its configuration, and who may do what there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from phases import permissions
from phases.drivers.base import DriverError, Instance
from phases.drivers.registry import driver
from phases.models import Component, Environment, Lock, Phase
from phases.targets import target_of
from releases.models import Promotion
from releases.queries.application import address_of, course_of
from releases.queries.cells import lines
from releases.queries.courses import Course, Reader
from releases.queries.drift import DriftShown, shown
from releases.queries.facts import problems_of
from releases.queries.health import HealthStrip, health_strip, restarts_of
from releases.queries.keys import Complete, Key, complete, keys_of, phase_before
from releases.queries.locks import LockNow, lock_now
from releases.queries.lookups import live_of
from releases.queries.masks import masker_of
from releases.queries.next import of_place
from releases.queries.rehearsals import Rehearsed, newest
from releases.queries.rehearse import obstacles
from releases.queries.rules import Said, Who, isolation, rules_to_enter, who_may
from releases.queries.shared import Log, LogText, Named, Next, Offer, PromotionLine
from releases.queries.targets import Setting, settings_said
from releases.queries.way_back import WayBack, way_back
from relman.actors import Actor

SHOWN_KEYS = 12
LOG_LINES = 12
"""On the overview; its tab shows more."""
RECENT = 5
"""Promotions on the overview."""


@dataclass(frozen=True)
class Blocked:
    """The promotion whose outcome is unknown."""

    promotion: int
    text: str


@dataclass(frozen=True)
class Head:
    """The environment itself."""

    id: int
    application: Named
    pipeline: Named
    phase: Named
    phase_text: str
    driver: str
    target: list[Setting]
    address: str
    public: bool
    may_open: bool
    instances_wanted: int
    lock: LockNow | None
    blocked: Blocked | None
    ready: bool
    problems: list[str]


@dataclass(frozen=True)
class Serves:
    """What is live in it, and what was seen there."""

    version: str | None
    since: datetime | None
    by: str
    digest: str
    health: str
    checked_at: datetime | None
    instances: int | None
    promotion: int | None
    reports: str
    """What the last look found, in words; empty: no look yet."""
    restarts: int
    """How often its instances ended by themselves and were started again."""


@dataclass(frozen=True)
class Previous:
    """The build that the phase before had."""

    phase: Named
    equal: bool


@dataclass(frozen=True)
class ComponentLine:
    """A piece of infrastructure."""

    name: str
    kind: str
    identifier: str
    size: str
    health: str
    id: int = 0
    there: str = ""
    """Its size beside the one of that name in the phase before, in words; empty: there is no such phase."""


@dataclass(frozen=True)
class EnvironmentPage:
    """The whole page."""

    environment: Head
    serves: Serves
    previous: Previous | None
    next: Next
    keys: list[Key]
    against: Named | None
    """The phase before, whose values stand beside these."""
    keys_total: int
    secrets_total: int
    complete: Complete | None
    components: list[ComponentLine]
    promotions: list[PromotionLine]
    promotions_total: int
    runtime_log: Log | None
    who: list[Who]
    isolation: list[Said]
    rules: list[Said]
    may_configure: bool
    back: WayBack
    rehearsal: Rehearsed | None
    """The newest in this environment, which may go on still."""
    rehearse: Offer | None
    drift: DriftShown | None = None
    strip: HealthStrip | None = None
    offers: list[Offer] = field(default_factory=list)


def environment_page(actor: Actor, environment: Environment, span: str = "24h") -> EnvironmentPage:
    """The page of one environment; asks its driver what runs (a local look, no network). `span`: of the health."""
    view, course = course_of(actor, environment.application)
    phase = next(one for one in course.phases if one.pk == environment.phase_id)
    live = live_of(environment)
    keys, before = keys_of(course, environment, phase), phase_before(course, phase)
    back = way_back(environment)
    return EnvironmentPage(
        environment=head(view, environment),
        serves=_serves(environment, live),
        previous=_previous(course, phase, live),
        next=of_place(view, course, phase),
        keys=sorted(keys, key=lambda one: (one.set, one.set and not one.required_by and one.before == "Same", one.key))[
            :SHOWN_KEYS
        ],
        against=Named.of(before) if before else None,
        keys_total=sum(one.set for one in keys),
        secrets_total=sum(one.secret for one in keys),
        complete=complete(environment, live, keys),
        components=_components(environment, course.places[before.pk].environment if before else None),
        promotions=lines(Promotion.objects.filter(environment=environment).order_by("-id")[:RECENT]),
        promotions_total=promotions_of(environment),
        runtime_log=runtime_log(environment),
        who=who_may(environment),
        isolation=isolation(environment),
        rules=rules_to_enter(view, course.phases, phase),
        may_configure=view.may("configure", phase.pk, environment.application_id),
        drift=shown(environment, live, may=view.may("roll_back", phase.pk, environment.application_id)),
        strip=health_strip(environment, span) if live else None,
        back=back,
        rehearsal=newest(environment, actor),
        rehearse=_rehearse(view, environment, live, back),
        offers=_offers(view, environment, live, back),
    )


# --- the environment itself


def head(view: Reader, environment: Environment) -> Head:
    """The environment, its lock, and what keeps it from being ready."""
    application, phase = environment.application, environment.phase
    problems = problems_of(phase.name, environment.findings, environment.checked_at)
    errored = Promotion.objects.filter(environment=environment, status="errored").select_related("release").first()
    return Head(
        id=environment.pk,
        application=Named.of(application),
        pipeline=Named.of(phase.pipeline),
        phase=Named.of(phase),
        phase_text=phase.description or "One application in one phase.",
        driver=environment.driver,
        target=settings_said(environment.settings),
        address=address_of(application.slug, phase.slug),
        public=phase.public,
        may_open=phase.public or view.may("open", phase.pk, application.pk),
        instances_wanted=environment.instances,
        lock=lock_now(environment),
        blocked=Blocked(errored.pk, f"The outcome of {errored.release.version} is unknown.") if errored else None,
        ready=not problems,
        problems=problems,
    )


def _serves(environment: Environment, live: Promotion | None) -> Serves:
    running = [one for one in instances(environment) if one.state == "running"] if live else None
    return Serves(
        version=live.release.version if live else None,
        since=live.finished_at if live else None,
        by=live.requested_by.display if live and live.requested_by else "",
        digest=f"sha256:{live.digest}" if live else "",
        health=environment.health if live else "unknown",
        checked_at=environment.health_at,
        instances=len(running) if running is not None else None,
        promotion=live.pk if live else None,
        reports=_reports(environment, live) if live else "",
        restarts=restarts_of(environment, live) if live else 0,
    )


def _reports(environment: Environment, live: Promotion) -> str:
    """The last look at what runs, where it was one at what is live."""
    seen = environment.observed
    if not seen or seen.get("promotion") != live.pk:
        return ""
    said = f"Reports {seen['version']}" if seen.get("version") else "Reports no version"
    files = {live.digest: ", files as unpacked", None: "", "": ", files changed"}
    return f"{said}{files.get(seen.get('digest'), ', files of another build')}"


def instances(environment: Environment) -> Sequence[Instance]:
    """What really runs there; nothing when the driver cannot say."""
    try:
        return driver(environment.driver).instances(target_of(environment))
    except (DriverError, LookupError, OSError):
        return []


def runtime_log(environment: Environment, wanted: int = LOG_LINES) -> Log | None:
    """The last lines that the instances wrote, without secrets; None when there are none to show."""
    try:
        said = list(driver(environment.driver).log(target_of(environment), wanted))
    except (DriverError, LookupError, OSError):
        return None
    if not said:
        return None
    masker = masker_of(environment)
    shown = [LogText(number, None, masker.mask(text)) for number, text in enumerate(said, 1)]
    return Log(shown, 0, len(shown), 1, len(shown), False)


def _components(environment: Environment, before: int | None) -> list[ComponentLine]:
    """Its infrastructure; `before`: the environment in the phase before, to compare with."""
    rows = Component.objects.filter(environment__in=[environment.pk, before or environment.pk])
    there = {one.name: one.size or "Not stated" for one in rows if one.environment_id == before}
    return [
        ComponentLine(one.name, one.kind, one.identifier, one.size, "", one.pk, _beside(one, there) if before else "")
        for one in rows
        if one.environment_id == environment.pk
    ]


def _beside(one: Component, there: Mapping[str, str]) -> str:
    if one.name not in there:
        return "None there"
    return "Same" if there[one.name] == (one.size or "Not stated") else there[one.name]


def promotions_of(environment: Environment) -> int:
    """How many promotions into it there were."""
    return Promotion.objects.filter(environment=environment).count()


def _previous(course: Course, phase: Phase, live: Promotion | None) -> Previous | None:
    """Whether the phase before got the very build that is live here."""
    before = phase_before(course, phase)
    if live is None or before is None:
        return None
    had = Promotion.objects.filter(
        environment=course.places[before.pk].environment, release=live.release_id, status="succeeded"
    )
    digest = had.order_by("-finished_at").values_list("digest", flat=True).first()
    return Previous(Named.of(before), digest == live.digest) if digest else None


def _rehearse(view: Reader, environment: Environment, live: Promotion | None, back: WayBack) -> Offer | None:
    """Practising the way back; not offered to who may not, nor where a rollback is never practice."""
    phase, pk = environment.phase, environment.application_id
    last = permissions.last_phase(phase.pipeline).pk == phase.pk
    if last or not (view.may("roll_back", phase.pk, pk) and view.may("promote", phase.pk, pk)):
        return None
    against = obstacles(environment, live, back)
    url = f"/apps/{environment.application.slug}/{phase.slug}/rehearse/"
    return Offer("rehearse", "Rehearse a rollback", url, not against, " ".join(against))


def _offers(view: Reader, environment: Environment, live: Promotion | None, back: WayBack) -> list[Offer]:
    phase, pk = environment.phase, environment.application_id
    base = f"/apps/{environment.application.slug}/{phase.slug}/"
    offers = []
    if view.may("promote", phase.pk, pk):
        offers.append(Offer("promote", f"Promote to {phase.name}", f"{base}promote/"))
    if live and view.may("roll_back", phase.pk, pk):
        label = f"Roll back to {back.release.version}" if back.release else "Roll back"
        reason = back.sentence if back.release is None else ""
        offers.append(Offer("rollback", label, f"{base}rollback/", back.release is not None, reason))
    if view.may("configure", phase.pk, pk):
        offers.append(Offer("configure", "Edit configuration", f"{base}configuration/"))
    if view.may("freeze", phase.pk, pk):
        held = Lock.objects.filter(environment=environment, released_at=None).exists()
        offers.append(Offer("unlock", "Unlock", f"{base}unlock/") if held else Offer("lock", "Lock", f"{base}lock/"))
    return offers
