"""Kind `local`: a real platform on one machine. Archives become processes that a supervisor keeps running.

The example to read for a new driver: each step is one method, may be called twice
with the same effect key, checks the fence before each effect and writes each
effect into the ledger.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from phases.drivers.archive_errors import ArchiveRefused
from phases.drivers.base import (
    Again,
    Context,
    Expected,
    Failed,
    Finding,
    Instance,
    Observation,
    Probe,
    Result,
    StepSpec,
    Target,
    Terminal,
    Transient,
)
from phases.drivers.home import home as default_home
from phases.drivers.ledger import Fence, Ledger, file_lock
from phases.drivers.local import checks, health, instances, logs, processes
from phases.drivers.local.layout import Layout, Place
from phases.drivers.local.migrate import end_leftover, migrate
from phases.drivers.local.observe import observe
from phases.drivers.local.running import DRAIN, LONGEST_DRAIN, Running
from phases.drivers.local.supervisor import Program, Supervisor
from phases.drivers.local.unpack import Stopped, ticker, unpack
from phases.drivers.settings import number, unknown

SETTINGS: Mapping[str, tuple[float, float]] = {"drain": (0, LONGEST_DRAIN), "migrate_timeout": (1, 4 * 3600)}
"""What an environment can be told, with the least and the most."""


class LocalDriver:
    """Deploys to the machine that RelMan runs on."""

    kind = "local"

    def __init__(self, home: Path | None = None) -> None:
        self._layout = Layout(home or default_home())
        self._supervisor = Supervisor(self._layout)
        self._running = Running(self._layout, self._supervisor)

    def check_settings(self, settings: Mapping[str, Any]) -> Mapping[str, str]:
        """`drain`: seconds in which the earlier version still answers what it began. `migrate_timeout`: seconds."""
        given = [number(settings, name, least, most) for name, (least, most) in SETTINGS.items()]
        return {**unknown(settings, SETTINGS), **{name: said for one in given for name, said in one.items()}}

    def plan(self, manifest: Mapping[str, Any], target: Target) -> Sequence[StepSpec]:
        """unpack, migrate (when the manifest has one), start; then retire, or discard when it went wrong.

        Settings of the target: `migrate_timeout` (seconds, 900) and `drain` (seconds, 10). Raises Terminal when
        the environment's size is not possible here."""
        instances.count(target)
        limit = float(target.settings.get("migrate_timeout", 900))
        drain = float(target.settings.get("drain", DRAIN))
        steps = [StepSpec("unpack", "Unpack the artifact", timeout=900)]
        if "migrate" in manifest:
            own = {"timeout": limit}
            steps.append(StepSpec("migrate", "Migrate", "probe", limit, attempts=1, parameters=own, lasting=True))
        return [
            *steps,
            StepSpec("start", _title(target), "probe", timeout=120),
            StepSpec("retire", "Stop the earlier version", timeout=300, parameters={"drain": drain}, when="after"),
            StepSpec("discard", "Remove what was begun", timeout=300, when="undo"),
        ]

    def fence(self, context: Context) -> None:
        """Tell the target the epoch. Raises Fenced when it has seen a higher one.

        A migration that another promotion left running is ended here; its own goes on."""
        place = self._layout.make_place(context.target.environment)
        with Fence(place.control).held(context.epoch, context.stop) as is_new:
            if is_new:
                end_leftover(place, but=context.promotion)

    def seen(self, target: Target) -> int:
        """The highest epoch that the target has seen."""
        return Fence(self._layout.control / str(target.environment)).epoch()

    def run(self, kind: str, context: Context) -> Result:
        """Do one step. Full disks and refused archives fail it; other errors of the machine may be tried again."""
        steps: dict[str, Callable[[Context, Place, Callable[[], None]], Result]] = {
            "unpack": unpack,
            "migrate": self._migrate,
            "start": self._running.start,
            "retire": self._running.retire,
            "discard": self._running.discard,
            "adopt": self._running.adopt,
            "disown": self._running.disown,
        }
        if kind not in steps:
            raise Terminal(f"The local target knows no step named {kind!r}.")
        place = self._layout.make_place(context.target.environment)
        Fence(place.control).check(context.epoch)
        try:
            return steps[kind](context, place, ticker(context, place))
        except Stopped as stopped:
            return Again(0.0, f"Stopped: {stopped}.")
        except ArchiveRefused as refused:
            return Failed(f"The artifact is refused: {refused}.")
        except OSError as error:
            return _machine_error(error)

    def probe(self, kind: str, context: Context) -> Result | None:
        """Only `start` asks: done when all its instances are known to the supervisor. `migrate` finds out by itself."""
        if kind != "start":
            return None
        place = self._layout.make_place(context.target.environment)
        self._supervisor.ensure()
        return self._running.started(context, place) if self._running.is_started(context, place) else None

    def check(self, target: Target) -> Sequence[Finding]:
        """Supervisor, disk, shell, Python and isolation. Weak isolation is said, and does not fail."""
        return checks.check(target, self._layout, self._supervisor)

    def instances(self, target: Target) -> Sequence[Instance]:
        """What really runs there, asked from the supervisor and from the processes themselves."""
        place = self._layout.place(target.environment)
        programs = self._programs()
        return [instances.describe(place, record, programs) for record in instances.records(place)]

    def inspect(self, target: Target, instance: Instance, manifest: Mapping[str, Any], timeout: float) -> Probe:
        """Health and version of one instance, as it is now, within `timeout` seconds in all."""
        place = self._layout.place(target.environment)
        found = [record for record in instances.records(place) if record.name == instance.name]
        if not found:
            return Probe(False, "This instance is not on record any more.", exited=True)
        now = instances.describe(place, found[0], self._programs())
        return health.inspect(target, place, found[0], now, manifest, timeout)

    def observe(self, target: Target, expected: Expected, timeout: float) -> Observation:
        """Processes, ports, versions and files, whoever put them there."""
        return observe(target, self._layout.place(target.environment), self._programs(), expected, timeout)

    def adoption(self, target: Target) -> Sequence[StepSpec]:
        """Instances on record are given to the promotion; no process is touched."""
        return [
            StepSpec("adopt", "Take over what runs", timeout=60),
            StepSpec("disown", "Give back what was taken over", timeout=60, when="undo"),
        ]

    def log(self, target: Target, lines: int, promotion: int | None = None) -> Sequence[str]:
        """The last lines that the deployed application wrote. Secrets are for the caller to mask."""
        return logs.last_lines(self._layout.place(target.environment), lines, promotion)

    def restore(self, target: Target, wanted: Sequence[int], epoch: int) -> Mapping[int, list[str]]:
        """Bring up what the record says; other promotions' instances are stopped. Raises Transient when busy.

        Fenced when somebody newer has been here: what is wanted was read before, and what came since is not in it."""
        place = self._layout.make_place(target.environment)
        with Fence(place.control).held(epoch):
            return self._running.restore(place, set(wanted))

    def remove(self, target: Target) -> None:
        """Stop and delete everything of this environment, its data too. Fence and ledger stay."""
        place = self._layout.place(target.environment)
        if not place.control.exists():
            return
        with file_lock(place.control / "lock"):
            end_leftover(place)
            for record in instances.records(place):
                self._running.stop_one(place, record)
            user = self._layout.user(target.environment)
            if user is not None:
                processes.end(lambda: processes.of_user(user), 1.0)
            shutil.rmtree(place.public, ignore_errors=True)
            for folder in (place.instances, place.logs, place.trees):
                shutil.rmtree(folder, ignore_errors=True)
            epoch = Fence(place.control).epoch()
            Ledger(place.control).append("removed", effect="", epoch=epoch, name=f"e{target.environment}")

    def _programs(self) -> Mapping[str, Program] | None:
        """What the supervisor says; None when it does not answer: then the processes themselves are asked."""
        try:
            return self._supervisor.programs()
        except Transient:
            return None

    def _migrate(self, context: Context, place: Place, tick: Callable[[], None]) -> Result:
        return migrate(context, place, self._layout.user(context.target.environment))


def _title(target: Target) -> str:
    return "Start the new version" if target.instances == 1 else f"Start the new version, {target.instances} instances"


def _machine_error(error: OSError) -> Result:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failed("The disk of the target is full; what served before still does. Make room and promote again.")
    raise Transient(f"The machine refused: {error.strerror or error}.") from error
