"""Records of instances: what shall run, on which port, with which environment. Readable by RelMan's user only."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from phases.drivers.base import Context, Instance, Target, Terminal, Transient
from phases.drivers.ledger import file_lock, write_synced
from phases.drivers.local import processes
from phases.drivers.local.layout import Layout, Place, application_path
from phases.drivers.local.supervisor import Program

FIRST_PORT, LAST_PORT = 21_000, 29_999
"""Below the ports that the kernel gives to outgoing connections."""
MOST = 12
STATES = {"STARTING": "starting", "RUNNING": "running", "STOPPED": "stopped", "STOPPING": "stopped"}


@dataclass(frozen=True)
class Record:
    """One instance as it is written down; the launcher reads the same file."""

    name: str
    promotion: int
    version: str
    port: int
    command: str
    folder: str
    log: str
    environment: dict[str, str] = field(repr=False)
    uid: int | None
    gid: int | None
    before: list[Any] | None = None
    """Promotion and version that it was taken over from."""

    @property
    def address(self) -> str:
        """Where the gateway finds it."""
        return f"127.0.0.1:{self.port}"


def count(target: Target) -> int:
    """How many instances the environment wants. Raises Terminal beyond 1 to 12."""
    if not 1 <= target.instances <= MOST:
        raise Terminal(f"An environment runs 1 to {MOST} instances on this target, not {target.instances}.")
    return target.instances


def name_of(context: Context, number: int) -> str:
    """The name of one instance; the same for each attempt."""
    return f"e{context.target.environment}-p{context.promotion}-{number}"


def environment_of(context: Context, place: Place, port: int | None) -> dict[str, str]:
    """Exactly what a deployed process sees: the system's, RelMan's four, and the configuration."""
    version = context.package.version if context.package else ""
    own = {
        "HOME": str(place.data),
        "RELMAN_APPLICATION": context.target.application,
        "RELMAN_PHASE": context.target.phase,
        "RELMAN_VERSION": version,
    }
    if port is not None:
        own["PORT"] = str(port)
    given = {name: value for name, value in context.configuration.items() if "\0" not in value}
    return {"PATH": application_path(), "LANG": "C.UTF-8", **given, **own}


def path_of(place: Place, name: str) -> Path:
    """The file of one record; its launcher's notes are beside it, ending in .run."""
    return place.instances / f"{name}.json"


def run_of(place: Place, name: str) -> Path:
    """What the launcher wrote down about the process."""
    return place.instances / f"{name}.run"


def records(place: Place) -> list[Record]:
    """All instances on record, oldest promotion first."""
    found = [Record(**json.loads(path.read_text())) for path in place.instances.glob("*.json")]
    return sorted(found, key=lambda one: (one.promotion, [int(part) for part in re.findall(r"\d+", one.name)]))


def of_promotion(place: Place, promotion: int) -> list[Record]:
    """The instances that one promotion brought."""
    return [one for one in records(place) if one.promotion == promotion]


def make(context: Context, layout: Layout, place: Place, number: int) -> Record:
    """Write an instance down with a port that nobody has. Raises Transient when there is none."""
    name, user = name_of(context, number), layout.user(context.target.environment)
    with file_lock(layout.control / "ports.lock", context.stop):
        port = _free_port(layout)
        record = Record(
            name=name,
            promotion=context.promotion,
            version=context.artifact.version,
            port=port,
            command=str(context.artifact.manifest["run"]["command"]),
            folder=str(place.release(context.promotion)),
            log=str(place.logs / f"{name}.log"),
            environment=environment_of(context, place, port),
            uid=user,
            gid=user,
        )
        save(place, record)
    return record


def move(layout: Layout, place: Place, record: Record) -> Record:
    """Give an instance another port, since somebody else took its own."""
    with file_lock(layout.control / "ports.lock"):
        port = _free_port(layout)
        run_of(place, record.name).unlink(missing_ok=True)
        moved = replace(record, port=port, environment={**record.environment, "PORT": str(port)})
        save(place, moved)
    return moved


def give(place: Place, record: Record, promotion: int, version: str) -> None:
    """Let an instance belong to another promotion. Its environment stays that of the process which runs."""
    save(place, replace(record, promotion=promotion, version=version, before=[record.promotion, record.version]))


def give_back(place: Place, record: Record) -> None:
    """Let it belong to the promotion that had it before `give`."""
    promotion, version = record.before or (record.promotion, record.version)
    save(place, replace(record, promotion=int(promotion), version=str(version), before=None))


def save(place: Place, record: Record) -> None:
    """Write a record down, durably."""
    write_synced(path_of(place, record.name), json.dumps(asdict(record)))


def forget(place: Place, name: str) -> None:
    """Delete a record and its launcher's notes; the log stays."""
    for path in (path_of(place, name), run_of(place, name)):
        path.unlink(missing_ok=True)


def pids(place: Place, record: Record) -> list[int]:
    """All processes of one instance, those that left its process group included."""
    identity = processes.recorded(str(run_of(place, record.name))).get("process")
    group = processes.members(identity) if identity else []
    return sorted({*group, *strays(record)})


def listens(place: Place, record: Record) -> bool | None:
    """Whether the instance has its port; False when somebody else has it, None when nobody does."""
    process = processes.recorded(str(run_of(place, record.name))).get("process")
    if process and processes.is_alive(process) and processes.listens(record.port, [process["pid"]]):
        return True  # the usual case, without looking through all processes
    return processes.listens(record.port, pids(place, record))


def strays(record: Record) -> list[int]:
    """Processes that carry this instance's own environment."""
    return processes.strays({key: record.environment[key] for key in ("HOME", "PORT", "RELMAN_VERSION")})


def describe(place: Place, record: Record, programs: Mapping[str, Program] | None) -> Instance:
    """One instance as the engine and the pages see it. Without a supervisor the processes themselves are asked."""
    run = processes.recorded(str(run_of(place, record.name)))
    process = run.get("process") or {}
    alive = bool(process) and processes.is_alive(process)
    program = programs.get(record.name) if programs is not None else None
    state = "running" if alive else "stopped"
    if program is not None:
        state = STATES.get(program.state, "broken")
    return Instance(
        name=record.name,
        promotion=record.promotion,
        version=record.version,
        port=record.port,
        pid=int(process["pid"]) if alive else None,
        state="broken" if state == "running" and not alive else state,
        since=run.get("since") if alive else None,
        restarts=max(0, int(run.get("launches", 0)) - 1),
    )


def _free_port(layout: Layout) -> int:
    taken = {one.port for one in _everywhere(layout)}
    span = range(FIRST_PORT, LAST_PORT + 1)
    for port in random.sample(span, len(span)):
        if port not in taken and processes.port_is_free(port):
            return port
    raise Transient(f"No port between {FIRST_PORT} and {LAST_PORT} is free on this machine.")


def _everywhere(layout: Layout) -> Iterable[Record]:
    for path in layout.control.glob("*/instances/*.json"):
        try:
            yield Record(**json.loads(path.read_text()))
        except FileNotFoundError:
            continue
