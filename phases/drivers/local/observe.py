"""What really runs in an environment: its own processes, whoever else has their ports, and the files on the disk."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from phases.drivers.base import Expected, Instance, Observation, Probe, Target
from phases.drivers.local import health, instances, trees
from phases.drivers.local.instances import Record
from phases.drivers.local.layout import Place
from phases.drivers.local.supervisor import Program

TRYING = ("STARTING", "BACKOFF", "EXITED", "FATAL")
"""The supervisor wants it to run; a program that somebody stopped is none of these."""


@dataclass(frozen=True)
class _Look:
    """One instance on record, and what is true of it."""

    instance: Instance
    own: bool
    """It runs, and nobody else has its port."""
    stranger: bool
    version: str | None
    probe: Probe | None
    lost: bool


def observe(
    target: Target, place: Place, programs: Mapping[str, Program] | None, expected: Expected, timeout: float
) -> Observation:
    """Look once. Where the expected promotion has left no record, what runs there for another one is looked at."""
    deadline = time.monotonic() + timeout
    subject = _subject(place, programs, expected)
    if not subject:
        return Observation(sentence="Nothing runs.", lost=True)
    looks = [_look(target, place, record, programs, expected, deadline) for record in subject]
    files = _files(place, subject, expected, deadline)
    healthy, sentence = _health(looks)
    return Observation(
        running=sum(look.own for look in looks),
        healthy=healthy,
        sentence=f"{sentence}{_unread(files.unread)}",
        version=_version([look.version for look in looks], expected.version),
        digest=files.digest,
        changed=files.changed,
        unread=files.unread,
        stranger=next((_stranger(look.instance) for look in looks if look.stranger), ""),
        restarts=sum(look.instance.restarts for look in looks),
        lost=any(look.lost for look in looks) and not any(look.own for look in looks),
    )


def _subject(place: Place, programs: Mapping[str, Program] | None, expected: Expected) -> Sequence[Record]:
    everybody = instances.records(place)
    mine = [record for record in everybody if record.promotion == expected.promotion]
    if mine:
        return mine
    alive = [record for record in everybody if instances.describe(place, record, programs).pid]
    last = max((record.promotion for record in alive), default=0)
    return [record for record in alive if record.promotion == last]


def _look(
    target: Target,
    place: Place,
    record: Record,
    programs: Mapping[str, Program] | None,
    expected: Expected,
    deadline: float,
) -> _Look:
    instance = instances.describe(place, record, programs)
    listens = instances.listens(place, record)
    own = instance.pid is not None and (listens is True or (listens is None and instance.state == "running"))
    left = max(0.1, deadline - time.monotonic())
    if own:
        probe = health.inspect(target, place, record, instance, expected.manifest, left)
        version = probe.version or (None if record.promotion == expected.promotion else record.version)
        return _Look(instance, True, False, version, probe, False)
    stranger = listens is not None
    version = health.reported(target, record.port, expected.manifest, left) if stranger else None
    return _Look(instance, False, stranger, version, None, _lost(record, programs, stranger, version))


def _lost(record: Record, programs: Mapping[str, Program] | None, stranger: bool, version: str | None) -> bool:
    """Whether nobody decided that it should not run: the supervisor has forgotten it, or waits for its port."""
    if programs is None:
        return False
    program = programs.get(record.name)
    if program is None:
        return not stranger
    return stranger and version is None and program.state in TRYING


def _version(said: Sequence[str | None], expected: str) -> str | None:
    """The one that is not expected, if any says so."""
    known = [version for version in said if version is not None]
    return next((version for version in known if version != expected), known[0] if known else None)


def _files(place: Place, subject: Sequence[Record], expected: Expected, deadline: float) -> trees.Compared:
    """Of the release folders that the instances run from, the one that is not as expected."""
    found, unread = trees.Compared(), 0
    for folder in dict.fromkeys(record.folder for record in subject):
        found = trees.compare(place, Path(folder), deadline)
        unread += found.unread
        if found.digest not in (None, expected.digest):
            break
    return replace(found, unread=unread)


def _unread(files: int) -> str:
    return f" {files:,} of its files were not compared yet; the next look goes on there." if files else ""


def _health(looks: Sequence[_Look]) -> tuple[bool, str]:
    """Healthy when all that run are."""
    own = [(look.instance, look.probe) for look in looks if look.probe is not None]
    for instance, probe in own:
        if not probe.healthy:
            return False, f"{instance.name} is not healthy: {probe.sentence}"
    down = next((look.instance.name for look in looks if not look.own), None)
    if down is not None:
        return False, f"{down} does not run."
    return True, own[-1][1].sentence


def _stranger(instance: Instance) -> str:
    return f"Port {instance.port} is held by a process that RelMan did not start, in place of {instance.name}."
