"""The configuration keys of an environment: what is set, what is required, what differs from the phase before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from phases import configuration
from phases.models import Environment, Phase, Variable
from releases.models import Promotion, Release
from releases.queries.courses import Course
from releases.queries.differences import required


@dataclass(frozen=True)
class Key:
    """One configuration key; a secret's value is never there."""

    key: str
    value: str | None
    secret: bool
    set: bool
    before: str
    """Against the phase before, in words; empty: there is none."""
    required_by: str
    changed_at: datetime | None
    changed_by: str
    there: str | None = None
    """The value in the phase before; never a secret's."""


@dataclass(frozen=True)
class Complete:
    """Whether a release finds all keys that it requires."""

    version: str
    missing: list[str]


def phase_before(course: Course, phase: Phase) -> Phase | None:
    """The nearest phase before this one in which the reader sees the application: what values are compared with."""
    return next((one for one in course.before(phase) if one.pk in course.places), None)


def keys_of(course: Course, environment: Environment, phase: Phase) -> list[Key]:
    """The keys that are set, and those that the live or a coming release requires; what is missing comes first."""
    here = {one.key: one for one in environment.variables.select_related("updated_by")}
    before = phase_before(course, phase)
    there = {}
    if before:
        there = {one.key: one for one in Variable.objects.filter(environment=course.places[before.pk].environment)}
    wanted = wanted_keys(course, phase)
    names = sorted({*here, *wanted}, key=lambda name: (name in here, name))
    return [_key(name, here.get(name), there.get(name), before, wanted.get(name, "")) for name in names]


def wanted_keys(course: Course, phase: Phase) -> Mapping[str, str]:
    """Key -> which release requires it; a coming release's word where the live one does not ask for it."""
    found: dict[str, str] = {}
    builds = [course.places[one.pk].live for one in course.shown if one.position < phase.position]
    coming = [move.build for move in builds if move] + ([course.newest] if course.newest else [])
    for build in coming:
        for key in build.required:
            found.setdefault(key, build.version)
    live = course.places[phase.pk].live
    return found | {key: live.build.version for key in live.build.required} if live else found


def _key(name: str, here: Variable | None, there: Variable | None, before: Phase | None, wanted: str) -> Key:
    return Key(
        key=name,
        value=None if here is None or here.secret else here.value,
        secret=bool(here and here.secret),
        set=here is not None,
        before=_compared(here, there) if before else "",
        required_by=wanted and (wanted if here else f"{wanted}, blocks it from here"),
        changed_at=here.updated_at if here else None,
        changed_by=here.updated_by.display if here and here.updated_by else "",
        there=None if there is None or there.secret else there.value,
    )


def _compared(here: Variable | None, there: Variable | None) -> str:
    """Against the phase before, in words."""
    if here is None:
        return "Missing here" if there else "Not set there"
    if there is None:
        return "Not set there"
    if here.secret or there.secret:
        return "Secret" if here.secret and there.secret else "Differs"
    return "Same" if here.value == there.value else "Differs"


def complete(environment: Environment, live: Promotion | None, keys: Sequence[Key]) -> Complete | None:
    """Completeness for what is live, else for the newest release."""
    newest = Release.objects.filter(application=environment.application_id, withdrawn="").order_by("-precedence")
    release = live.release if live else newest.first()
    if release is None:
        return None
    present: dict[str, dict[str, str]] = {one.key: {} for one in keys if one.set}
    return Complete(release.version, configuration.missing(present, required(release.manifest)))
