"""A pipeline and its phases: what each asks for, what is missing, who may do what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from django.db.models import Q, QuerySet

from phases import permissions
from phases.models import Application, Grant, Phase, Pipeline, RoleRight, Rule
from phases.permissions import CURRENT
from releases.models import Promotion
from releases.queries import history
from releases.queries.board import Tile, tile, tiles
from releases.queries.cells import lines
from releases.queries.courses import Course, load
from releases.queries.infrastructure import Infrastructure, PlaceLine, infrastructure
from releases.queries.locks import LockNow, lock_now
from releases.queries.next import of_application, of_place
from releases.queries.rules import Said, rules_to_enter
from releases.queries.shared import Entry, Named, Next, Offer, PromotionLine, count
from releases.queries.shell import state_of_phase
from relman.actors import Actor

TABS = ("phases", "applications", "roles", "history")
HISTORY = 50
"""Lines of a pipeline's history."""
WATCHED = 50
"""Environments of a phase whose page hears at once of what moves in them."""


@dataclass(frozen=True)
class PipelineHead:
    """The pipeline itself."""

    slug: str
    name: str
    description: str
    applications: list[Named]
    prerelease_stop: Named | None


@dataclass(frozen=True)
class AppLine:
    """One application of the pipeline: what its phases run, and what comes next."""

    application: Named
    tiles: list[Tile]
    next: Next


@dataclass(frozen=True)
class PhaseLine:
    """One phase, and how far it is set up."""

    id: int
    phase: Named
    number: int
    optional: bool
    every_one: bool
    rolls_back: bool
    """Whether RelMan answers a failed verification there without asking."""
    public: bool
    environments: int
    of: int
    rules: list[str]
    missing: list[str]
    warnings: list[str]
    after: str = ""
    """The nearest phase in which a release must have succeeded before, if the reader sees it; empty: none."""
    stops: bool = False
    """Whether pre-releases end here."""
    may_edit: bool = False


@dataclass(frozen=True)
class Rights:
    """What a role may in one phase, in words."""

    phase: str
    text: str


@dataclass(frozen=True)
class RoleRow:
    """A role of the pipeline: who has it in any phase that the reader sees, and its rights in each of them."""

    role: str
    people: list[str]
    rights: list[Rights]
    """One for each phase, in order."""


@dataclass(frozen=True)
class PipelinePage:
    """The whole page; applications, roles and history only where their tab is open."""

    pipeline: PipelineHead
    tab: str
    phases: list[PhaseLine]
    roles_total: int
    roles: list[RoleRow]
    runs: list[AppLine]
    history: list[Entry]
    may_edit: bool
    may_manage: bool


@dataclass(frozen=True)
class PhaseRow:
    """One application in the phase."""

    application: Named
    tile: Tile
    next: Next
    place: PlaceLine | None
    """None: it has no environment there."""


@dataclass(frozen=True)
class RoleLine:
    """A role in the phase: who has it, and its rights there."""

    role: str
    people: list[str]
    rights: list[str]


@dataclass(frozen=True)
class RightName:
    """A right and its name."""

    codename: str
    label: str


@dataclass(frozen=True)
class PhasePage:
    """The whole page."""

    pipeline: Named
    phase: PhaseLine
    description: str
    kind: str
    """The state of the phase, as a status, and its words: the same as beside its name in the sidebar."""
    words: str
    infrastructure: Infrastructure
    topics: str
    """What the page listens to."""
    rows: list[PhaseRow]
    roles: list[RoleLine]
    rights: list[RightName]
    rules: list[Said]
    promotions: list[PromotionLine]
    may_manage: bool
    may_configure: bool
    lock: LockNow | None = None
    """Of the whole phase."""
    offers: list[Offer] = field(default_factory=list)


def pipeline_page(actor: Actor, pipeline: Pipeline, tab: str = "") -> PipelinePage:
    """The page of one pipeline, by tab; phases that the actor does not see are absent."""
    chosen = permissions.visible_applications(actor).filter(pipeline=pipeline)
    seen = permissions.visible_phases(actor).filter(pipeline=pipeline)
    phases = list(seen.select_related("pipeline").order_by("position"))
    applications = list(chosen.order_by("name"))
    stop = pipeline.prerelease_until if pipeline.prerelease_until in phases else None
    roles = _roles_across(phases)
    return PipelinePage(
        pipeline=PipelineHead(
            pipeline.slug,
            pipeline.name,
            pipeline.description,
            [Named.of(one) for one in applications],
            Named.of(stop) if stop else None,
        ),
        tab=tab if tab in TABS else TABS[0],
        phases=phase_lines(actor, phases, applications),
        roles_total=len(roles),
        roles=roles if tab == "roles" else [],
        runs=_runs(actor, chosen) if tab == "applications" else [],
        history=_history(actor, pipeline) if tab == "history" else [],
        may_edit=actor.is_superuser or all(permissions.can(actor, "manage_access", one) for one in phases),
        may_manage=any(permissions.can(actor, "manage_access", one) for one in phases),
    )


def _runs(actor: Actor, chosen: QuerySet[Application]) -> list[AppLine]:
    view, courses = load(actor, chosen)
    return [AppLine(Named.of(one.application), tiles(view, one), of_application(view, one)) for one in courses]


def _roles_across(phases: Sequence[Phase]) -> list[RoleRow]:
    """Every role with a right or a person in one of these phases. Two queries."""
    rights: dict[str, dict[int, list[str]]] = {}
    rows = RoleRight.objects.filter(phase__in=phases).values_list("role__name", "phase_id", "right")
    for role, phase, right in rows:
        rights.setdefault(role, {}).setdefault(phase, []).append(right)
    people = _people(phases)
    order = list(permissions.LABELS)

    def said(role: str, phase: Phase) -> Rights:
        found = sorted(rights.get(role, {}).get(phase.pk, ()), key=order.index)
        return Rights(phase.name, ", ".join(permissions.LABELS[one] for one in found))

    names = sorted({*rights, *people})
    return [RoleRow(name, people.get(name, []), [said(name, phase) for phase in phases]) for name in names]


def _history(actor: Actor, pipeline: Pipeline) -> list[Entry]:
    """How the pipeline itself was changed: its phases, rules, roles and locks; not what moved through it."""
    about = Q()
    for word in ("pipeline", "phase", "rule", "role", "grant", "access", "lock", "application"):
        about |= Q(verb__startswith=f"{word}.")
    return history.entries(history.visible(actor).filter(about, pipeline_id=pipeline.pk)[:HISTORY])


def phase_lines(actor: Actor, phases: Sequence[Phase], applications: Sequence[Application]) -> list[PhaseLine]:
    """Phases of one pipeline in order. The number of queries grows with the phases only."""
    inside = permissions.visible_environments(actor).filter(application__in=applications, phase__in=phases)
    there: dict[int, set[int]] = {}
    for where, application in inside.values_list("phase_id", "application_id"):
        there.setdefault(where, set()).add(application)
    asked: dict[int, list[str]] = {}
    for rule in Rule.objects.filter(phase__in=phases).select_related("role").order_by("name"):
        asked.setdefault(rule.phase_id, []).append(f"{rule.count} {rule.role.name}")
    order = Phase.objects.filter(pipeline__in={phase.pipeline_id for phase in phases}, optional=False)
    required = list(order.order_by("position").values_list("pipeline_id", "position", "name", "pk"))
    seen = permissions.permission_map(actor)
    made = []
    for number, phase in enumerate(phases, 1):
        line = _line(phase, number, there.get(phase.pk, set()), applications, asked.get(phase.pk, []))
        before = [
            name if pk in seen else "the phase before"
            for pipeline, position, name, pk in required
            if pipeline == phase.pipeline_id and position < phase.position
        ]
        may = permissions.can(actor, "manage_access", phase)
        stops = phase.pipeline.prerelease_until_id == phase.pk
        made.append(replace(line, after=before[-1] if before else "", stops=stops, may_edit=may))
    return made


def _line(
    phase: Phase, number: int, there: set[int], applications: Sequence[Application], rules: list[str]
) -> PhaseLine:
    lacking = [one.name for one in applications if one.pk not in there]
    missing = []
    if lacking and not phase.optional:
        names = f": {', '.join(lacking[:3])}" + (f" and {len(lacking) - 3} more" if len(lacking) > 3 else "")
        missing.append(f"{count(len(lacking), 'environment')} missing{names}")
    return PhaseLine(
        id=phase.pk,
        phase=Named.of(phase),
        number=number,
        optional=phase.optional,
        every_one=phase.in_order,
        rolls_back=phase.auto_rollback,
        public=phase.public,
        environments=len(there),
        of=len(applications),
        rules=rules,
        missing=missing,
        warnings=[one.sentence for one in permissions.unmeetable_rules(phase)] if rules else [],
    )


def phase_page(actor: Actor, phase: Phase) -> PhasePage:
    """One phase across the applications of its pipeline."""
    chosen = permissions.visible_applications(actor).filter(pipeline=phase.pipeline_id)
    view, courses = load(actor, chosen)
    numbers = [one.pk for one in view.phases.values() if one.pipeline_id == phase.pipeline_id]
    lined = phase_lines(actor, [phase], [course.application for course in courses])[0]
    environments = [course.places[phase.pk].environment for course in courses if phase.pk in course.places]
    kind, words = state_of_phase(courses, phase)
    found = infrastructure(courses, phase)
    places = {one.application.slug: one for one in found.places}
    lock = lock_now(phase)
    rights = [RightName(codename, label) for codename, label in permissions.LABELS.items()]
    if numbers[:1] != [phase.pk]:
        rights = [one for one in rights if one.codename != "publish"]
    return PhasePage(
        pipeline=Named.of(phase.pipeline),
        phase=replace(lined, number=numbers.index(phase.pk) + 1),
        description=phase.description,
        kind=kind,
        words=words,
        infrastructure=found,
        topics=",".join([f"phase:{phase.pk}", *(f"environment:{one}" for one in environments[:WATCHED])]),
        rows=[
            PhaseRow(
                Named.of(course.application),
                tile(view, course, phase),
                _next(of_place(view, course, phase) if phase.pk in course.places else None),
                places.get(course.application.slug),
            )
            for course in courses
        ],
        roles=_roles(phase),
        rights=rights,
        rules=rules_to_enter(view, _phases(courses, phase), view.phases.get(phase.pk, phase)),
        promotions=lines(Promotion.objects.filter(environment__in=environments).order_by("-id")[:10]),
        may_manage=permissions.can(actor, "manage_access", phase),
        may_configure=permissions.can(actor, "configure", phase),
        lock=lock,
        offers=_offers(actor, phase, lock),
    )


def _offers(actor: Actor, phase: Phase, lock: LockNow | None) -> list[Offer]:
    """Locking the whole phase, or letting go; absent for who may not."""
    if not permissions.can(actor, "freeze", phase):
        return []
    base = f"/pipelines/{phase.pipeline.slug}/{phase.slug}/"
    if lock:
        return [Offer("unlock", f"Unlock {phase.name}", f"{base}unlock/")]
    return [Offer("lock", f"Lock {phase.name}", f"{base}lock/")]


def _next(found: Next | None) -> Next:
    return found or Next("none", "Not used")


def _phases(courses: Sequence[Course], phase: Phase) -> Sequence[Phase]:
    if courses:
        return courses[0].phases
    return list(Phase.objects.filter(pipeline=phase.pipeline_id).order_by("position"))


def _roles(phase: Phase) -> list[RoleLine]:
    """Every role with a right or a person here. Three queries."""
    rights: dict[str, list[str]] = {}
    for name, right in RoleRight.objects.filter(phase=phase).order_by("role__name").values_list("role__name", "right"):
        rights.setdefault(name, []).append(right)
    people = _people([phase])
    return [RoleLine(name, people.get(name, []), rights.get(name, [])) for name in sorted({*rights, *people})]


def _people(phases: Sequence[Phase]) -> Mapping[str, list[str]]:
    """Role -> who has it now in one of these phases, groups with their name."""
    grants = Grant.objects.filter(CURRENT, phase__in=phases).select_related("role", "user", "group")
    found: dict[str, list[str]] = {}
    for one in grants:
        name = one.user.display if one.user else f"{one.group} (group)"
        found.setdefault(one.role.name, []).append(name)
    return {role: sorted(set(names)) for role, names in found.items()}
