"""Record and reality: where they differ, in what, and whether what runs can be accepted. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from phases.drivers.base import Expected, Observation


@dataclass(frozen=True)
class Drift:
    """One difference between the record and what was seen."""

    kind: str
    """nothing, version, stranger, files or instances"""
    text: str
    """One sentence: what was expected, what was seen."""
    short: str
    """At most 24 characters, for a tile."""
    version: str | None = None
    digest: str | None = None
    running: int = 0
    changed: Sequence[str] = ()
    stranger: bool = False

    @property
    def key(self) -> list[Any]:
        """Two looks that agree in this have seen the same drift."""
        return [self.kind, self.version, self.digest, self.running]

    def as_json(self) -> dict[str, Any]:
        """As the environment keeps it."""
        return {**asdict(self), "changed": list(self.changed)}


def of_json(kept: Mapping[str, Any]) -> Drift | None:
    """The drift that an environment keeps; None when there is none."""
    return Drift(**kept) if kept else None


def compare(expected: Expected, seen: Observation) -> Drift | None:
    """Where what was seen is not what the record says; None: they agree. Health is another matter."""
    facts: dict[str, Any] = {
        "version": seen.version,
        "digest": seen.digest,
        "running": seen.running,
        "changed": tuple(seen.changed),
        "stranger": bool(seen.stranger),
    }
    if seen.version is not None and seen.version != expected.version:
        who = f" {seen.stranger}" if seen.stranger else ""
        text = f"{seen.version} answers there; the record says {expected.version}.{who}"
        return Drift("version", text, _fit(seen.version, "instead"), **facts)
    if seen.stranger:
        text = f"{seen.stranger} The record says {expected.version}."
        return Drift("stranger", text, "another process answers", **facts)
    if not seen.running:
        return Drift("nothing", f"Nothing runs there; the record says {expected.version}.", "nothing runs", **facts)
    if seen.digest is not None and seen.digest != expected.digest:
        return Drift("files", _files(expected, seen), "files were changed", **facts)
    if seen.running < expected.instances:
        text = f"{seen.running} of {expected.instances} instances run."
        return Drift("instances", text, f"{seen.running} of {expected.instances} instances", **facts)
    return None


def _files(expected: Expected, seen: Observation) -> str:
    named = ", ".join(seen.changed[:3])
    more = " and others" if len(seen.changed) > 3 else ""
    what = f": {named}{more}" if named else ""
    whose = f" They are those of sha256:{seen.digest[:12]}." if seen.digest else ""
    return f"Files of {expected.version} were changed on the target{what}.{whose}"


def _fit(version: str, tail: str, limit: int = 24) -> str:
    room = limit - len(tail) - 1
    return f"{version if len(version) <= room else version[: room - 1] + '…'} {tail}"


@dataclass(frozen=True)
class Build:
    """A release of the application that what runs could be."""

    version: str
    digest: str


def build_of(drift: Drift, releases: Sequence[Build]) -> Build | None:
    """The release that runs: by the digest of its files, or, where the target did not compare them, by version."""
    if drift.digest is not None:
        return next((one for one in releases if drift.digest and one.digest == drift.digest), None)
    return next((one for one in releases if one.version == drift.version), None)


def why_not(drift: Drift, found: Build | None, instances: int) -> str:
    """Why what runs cannot be accepted as the record; empty: it can."""
    if drift.kind == "nothing":
        return "Nothing runs there that could be accepted."
    if drift.stranger:
        return "It is a process that RelMan did not start, so RelMan could neither keep it running nor stop it."
    if drift.kind == "instances":
        return "The version is the recorded one, and too few instances of it run: revert starts them again."
    if found is None and drift.digest == "":
        return "Its files are those of no release that was ever published here."
    if found is None:
        return f"{drift.version or 'What runs'} is no release of this application."
    if drift.version is not None and drift.version != found.version:
        return f"Its files are those of {found.version}, but what runs reports {drift.version}."
    if drift.running < instances:
        return f"Only {drift.running} of {instances} instances run."
    return ""


def confirms(seen: Observation, build: Build, instances: int) -> str:
    """Why one look does not confirm that this build runs; empty: it does."""
    if seen.stranger or seen.running < instances:
        return seen.stranger or f"{seen.running} of {instances} instances run."
    if seen.version not in (None, build.version):
        return f"It reports {seen.version}, not {build.version}."
    if seen.digest not in (None, build.digest):
        return f"Its files are not those of {build.version}."
    return "" if seen.healthy else seen.sentence
