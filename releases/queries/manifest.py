"""What a release's relman.toml says, and which environments are not ready for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phases.drivers.archive_errors import ArchiveError, ArchiveRefused, Findings
from phases.drivers.manifest import LARGEST, NAME, read_manifest
from phases.models import Application, Variable
from releases.queries.application import course_of
from releases.queries.courses import Course
from releases.queries.differences import required
from releases.queries.shared import Named
from relman.actors import Actor


@dataclass(frozen=True)
class Lacks:
    """An environment, and which required keys it does not set."""

    phase: Named
    keys: list[str]


@dataclass(frozen=True)
class ManifestShown:
    """The manifest in words; `errors`: what is wrong with it, each with its cure."""

    command: str = ""
    health: str = ""
    version: str = ""
    migrate: str = ""
    reversible: bool = False
    again: bool = False
    """The migration may be run twice."""
    required: list[str] = field(default_factory=list)
    lacking: list[Lacks] = field(default_factory=list)
    errors: list[ArchiveError] = field(default_factory=list)


def manifest_read(actor: Actor, application: Application, text: str) -> ManifestShown:
    """The manifest of an archive that is about to be published; nothing is kept."""
    findings = Findings()
    data = text.encode()
    if len(data) > LARGEST:
        findings.add(NAME, "It is too large.", f"At most {LARGEST // 1024} KiB.")
        return ManifestShown(errors=_errors(findings))
    manifest = read_manifest(data, findings)
    if errors := _errors(findings):
        return ManifestShown(errors=errors)
    return manifest_shown(course_of(actor, application)[1], manifest)


def _errors(findings: Findings) -> list[ArchiveError]:
    try:
        findings.raise_if_any()
    except ArchiveRefused as refused:
        return refused.errors
    return []


def manifest_shown(course: Course, manifest: Mapping[str, Any]) -> ManifestShown:
    """A manifest that was read, against the environments that the reader sees."""
    run, migrate, keys = manifest.get("run", {}), manifest.get("migrate", {}), required(dict(manifest))
    return ManifestShown(
        command=run.get("command", ""),
        health=run.get("health", ""),
        version=run.get("version", ""),
        migrate=migrate.get("command", ""),
        reversible=migrate.get("reversible", False),
        again=migrate.get("resume") == "idempotent",
        required=keys,
        lacking=_lacking(course, keys) if keys else [],
    )


def _lacking(course: Course, keys: list[str]) -> list[Lacks]:
    """The environments in the phases' order. One query."""
    places = {course.places[phase.pk].environment: phase for phase in course.shown}
    rows = Variable.objects.filter(environment__in=places, key__in=keys).order_by()
    there = set(rows.values_list("environment_id", "key"))
    found = [Lacks(Named.of(phase), [key for key in keys if (pk, key) not in there]) for pk, phase in places.items()]
    return [one for one in found if one.keys]
