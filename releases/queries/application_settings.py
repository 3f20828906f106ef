"""What is set about one application, where it has environments, and what the reader may change."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count

from phases import permissions
from phases.models import Application, Environment, Phase
from releases.queries.application import Head, course_of, head, offers_on
from releases.queries.courses import Course, Reader
from releases.queries.facts import problems_of
from releases.queries.shared import Named, Offer, count
from relman.actors import Actor


@dataclass(frozen=True)
class Spot:
    """A phase, and the application's environment there."""

    phase: Named
    exists: bool
    target: str
    size: str
    keys: int
    components: int
    ready: bool
    problem: str
    may_configure: bool


@dataclass(frozen=True)
class ApplicationSettingsPage:
    """The whole page. `who`: roles that may change the application's words."""

    application: Head
    repository: str
    ticket_url: str
    owner: str
    version_scheme: str
    spots: list[Spot]
    may_edit: bool
    who: list[str]
    offers: list[Offer]


def application_settings_page(actor: Actor, application: Application) -> ApplicationSettingsPage:
    """The settings of one application, as far as the reader sees its phases."""
    view, course = course_of(actor, application)
    one = course.application
    rows = Environment.objects.filter(pk__in=[place.environment for place in course.places.values()])
    counted = rows.annotate(keys=Count("variables", distinct=True), parts=Count("components", distinct=True))
    found = {row.phase_id: row for row in rows}
    sizes = {pk: (keys, parts) for pk, keys, parts in counted.values_list("phase_id", "keys", "parts")}
    seen = [phase for phase in course.phases if view.may("view", phase.pk)]
    first = course.phases[0] if course.phases else None
    roles = permissions.roles_with("manage_access", first) if first else []
    return ApplicationSettingsPage(
        application=head(view, course),
        repository=one.repository,
        ticket_url=one.ticket_url,
        owner=one.owner.display if one.owner else "",
        version_scheme=one.get_version_scheme_display(),
        spots=[_spot(view, course, phase, found.get(phase.pk), *sizes.get(phase.pk, (0, 0))) for phase in seen],
        may_edit=may_edit(view, course),
        who=roles or ["Administrator"],
        offers=offers_on(view, course),
    )


def may_edit(view: Reader, course: Course) -> bool:
    """Whoever manages access in every phase changes the application's words."""
    everywhere = bool(course.phases) and all(view.may("manage_access", phase.pk) for phase in course.phases)
    return everywhere or view.actor.is_superuser


def _spot(view: Reader, course: Course, phase: Phase, row: Environment | None, keys: int, components: int) -> Spot:
    may = view.may("configure", phase.pk, course.application.pk)
    if row is None:
        return Spot(Named.of(phase), False, "", "", 0, 0, False, "", may)
    sizes = [
        count(row.instances, "instance"),
        f"{row.memory} MiB" if row.memory else "",
        f"{row.cpu.normalize():f} cores" if row.cpu else "",
    ]
    problems = problems_of(phase.name, row.findings, row.checked_at)
    return Spot(
        phase=Named.of(phase),
        exists=True,
        target=row.driver,
        size=", ".join(part for part in sizes if part),
        keys=keys,
        components=components,
        ready=not problems,
        problem=" ".join(problems),
        may_configure=may,
    )
