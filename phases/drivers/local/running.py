"""Starting, retiring and discarding instances: the steps that decide what runs in an environment."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from phases.drivers.base import Again, Context, Failed, Result, Succeeded
from phases.drivers.ledger import Fence, Ledger
from phases.drivers.local import instances, processes, trees, unpack
from phases.drivers.local.instances import Record
from phases.drivers.local.layout import Layout, Place
from phases.drivers.local.migrate import end_leftover
from phases.drivers.local.supervisor import Supervisor

KEPT = 3
"""Release folders that stay on the disk."""
DRAIN = 10.0
"""Seconds that instances without traffic get to finish what they began."""
LONGEST_DRAIN = 3600.0
FIRST_LOOK = 2.0
"""Seconds to wait for instances to listen, so that a stolen port is noticed while it can be mended."""
PORT_TRIES = 3

Tick = Callable[[], None]


class Running:
    """The instances of one installation."""

    def __init__(self, layout: Layout, supervisor: Supervisor) -> None:
        self._layout = layout
        self._supervisor = supervisor

    def start(self, context: Context, place: Place, tick: Tick) -> Result:
        """Start this promotion's instances, each once, beside what serves."""
        if not place.release(context.promotion).is_dir():
            return Failed("The release is not unpacked here; promote it again.")
        wanted = instances.count(context.target)
        self._supervisor.ensure()
        for number in range(1, wanted + 1):
            tick()
            self._start_one(context, place, number)
        self._first_look(context, place, tick)
        return self.started(context, place)

    def started(self, context: Context, place: Place) -> Succeeded:
        """The result of `start`: the addresses for the gateway."""
        mine = instances.of_promotion(place, context.promotion)
        addresses = [record.address for record in mine]
        return Succeeded(f"Started {_count(len(mine))} on {', '.join(addresses)}.", left={"upstreams": addresses})

    def is_started(self, context: Context, place: Place) -> bool:
        """Whether all instances of this promotion are on record and known to the supervisor."""
        known = self._supervisor.programs()
        mine = [record.name for record in instances.of_promotion(place, context.promotion)]
        return len(mine) == context.target.instances and all(name in known for name in mine)

    def retire(self, context: Context, place: Place, tick: Tick) -> Result:
        """Stop what this promotion replaced, after a drain, and delete old releases."""
        old = [record for record in instances.records(place) if record.promotion != context.promotion]
        drain = min(float(context.parameters.get("drain", DRAIN)), LONGEST_DRAIN)
        if old and drain > 0 and not context.left.get("drained"):
            return Again(drain, f"{_count(len(old))} of earlier versions drain.", left={"drained": True})
        self.stop(context, place, old, tick)
        with Fence(place.control).held(context.epoch, context.stop):
            _delete_old(place, {context.promotion, *(record.promotion for record in instances.records(place))})
        return Succeeded(f"Stopped {_count(len(old))} of earlier versions." if old else "Nothing else was running.")

    def discard(self, context: Context, place: Place, tick: Tick) -> Result:
        """Stop and remove what this promotion began."""
        mine = instances.of_promotion(place, context.promotion)
        self.stop(context, place, mine, tick)
        release = place.release(context.promotion)
        with Fence(place.control).held(context.epoch, context.stop):
            end_leftover(place)
            unpack.sweep(place, context.promotion)
            was_there = release.exists()
            shutil.rmtree(release, ignore_errors=True)
            trees.forget(place, release)
            if was_there:
                self._note(context, place, "removed", f"p{context.promotion}")
        return Succeeded(
            f"Stopped {_count(len(mine))} and removed the files of this promotion; the rest runs as before."
        )

    def adopt(self, context: Context, place: Place, tick: Tick) -> Result:
        """What runs here belongs to this promotion from now on; what it was started with stays as it is."""
        with Fence(place.control).held(context.epoch, context.stop):
            for record in instances.records(place):
                if record.promotion != context.promotion:
                    instances.give(place, record, context.promotion, context.artifact.version)
                self._note(context, place, "adopted", record.name)
        mine = instances.of_promotion(place, context.promotion)
        if not mine:
            return Failed("Nothing is on record at the target that could be taken over.")
        return Succeeded(f"{_count(len(mine))} taken over as {context.artifact.version}; nothing was restarted.")

    def disown(self, context: Context, place: Place, tick: Tick) -> Result:
        """Give what was taken over back to the promotion that had it before."""
        with Fence(place.control).held(context.epoch, context.stop):
            taken = [one for one in instances.of_promotion(place, context.promotion) if one.before]
            for record in taken:
                instances.give_back(place, record)
        return Succeeded(f"Gave {_count(len(taken))} back.")

    def stop(self, context: Context, place: Place, gone: Sequence[Record], tick: Tick) -> None:
        """Stop these instances for good. Each is a fenced effect of its own."""
        for record in gone:
            tick()
            with Fence(place.control).held(context.epoch, context.stop):
                self._end(place, record)
                self._note(context, place, "stopped", record.name)
                instances.forget(place, record.name)

    def stop_one(self, place: Place, record: Record) -> None:
        """Stop one instance and forget it."""
        self._end(place, record)
        instances.forget(place, record.name)

    def restore(self, place: Place, wanted: set[int]) -> dict[int, list[str]]:
        """Make the wanted promotions' instances run, stop the others. Gives addresses by promotion."""
        found: dict[int, list[str]] = {}
        everybody = instances.records(place)
        if everybody:
            self._supervisor.ensure()
        for record in everybody:
            if record.promotion not in wanted:
                self.stop_one(place, record)
                continue
            found.setdefault(record.promotion, []).append(self._bring_up(place, record).address)
        return found

    def _end(self, place: Place, record: Record) -> None:
        """Stop one instance; whoever left its process group is ended too."""
        self._supervisor.remove(record.name, instances.run_of(place, record.name))
        processes.end(lambda: instances.strays(record), 0.0)

    def _start_one(self, context: Context, place: Place, number: int) -> None:
        name = instances.name_of(context, number)
        with Fence(place.control).held(context.epoch, context.stop):
            known = {record.name for record in instances.of_promotion(place, context.promotion)}
            if name not in known:
                instances.make(context, self._layout, place, number)
            self._supervisor.start(name, instances.path_of(place, name))
            Ledger(place.control).append_missing(
                "started", effect=context.effect_key, epoch=context.epoch, promotion=context.promotion, name=name
            )

    def _first_look(self, context: Context, place: Place, tick: Tick) -> None:
        """Wait a moment until all listen or have ended; give another port to those that lost theirs."""
        tries = {record.name: 1 for record in instances.of_promotion(place, context.promotion)}
        deadline = time.monotonic() + FIRST_LOOK
        while time.monotonic() < deadline:
            tick()
            waiting = [r for r in instances.of_promotion(place, context.promotion) if not self._is_settled(place, r)]
            for record in waiting:
                if self._lost_port(place, record) and tries[record.name] < PORT_TRIES:
                    tries[record.name] += 1
                    self._move(context, place, record)
                    deadline = time.monotonic() + FIRST_LOOK
            if not waiting:
                return
            time.sleep(0.05)

    def _is_settled(self, place: Place, record: Record) -> bool:
        """It listens, or it ended with its port still free, which waiting does not change."""
        run = processes.recorded(str(instances.run_of(place, record.name)))
        process = run.get("process")
        if process and instances.listens(place, record):
            return True
        ended = process is not None and not processes.is_alive(process)
        return ended and processes.port_is_free(record.port)

    def _lost_port(self, place: Place, record: Record) -> bool:
        return instances.listens(place, record) is False

    def _move(self, context: Context, place: Place, record: Record) -> None:
        with Fence(place.control).held(context.epoch, context.stop):
            self._supervisor.remove(record.name, instances.run_of(place, record.name))
            moved = instances.move(self._layout, place, record)
            self._supervisor.start(moved.name, instances.path_of(place, moved.name))

    def _bring_up(self, place: Place, record: Record) -> Record:
        """Start one instance unless it runs; when somebody took its port meanwhile, on another."""
        if self._lost_port(place, record):
            self._supervisor.remove(record.name, instances.run_of(place, record.name))
            record = instances.move(self._layout, place, record)
        self._supervisor.start(record.name, instances.path_of(place, record.name))
        return record

    def _note(self, context: Context, place: Place, what: str, name: str) -> None:
        Ledger(place.control).append_missing(
            what, effect=context.effect_key, epoch=context.epoch, promotion=context.promotion, name=name
        )


def _delete_old(place: Place, used: set[int]) -> None:
    """Delete releases and logs beyond the last few; what runs or was just brought always stays."""
    releases = {_number(path): path for path in place.releases.glob("p*")}
    inside = {_number(Path(record.folder)) for record in instances.records(place)}
    kept = used | inside | set(sorted(releases)[-KEPT:])
    for number, path in releases.items():
        if number not in kept:
            shutil.rmtree(path, ignore_errors=True)
            trees.forget(place, path)
    for log in place.logs.iterdir():
        if _number(log) not in kept:
            log.unlink(missing_ok=True)


def _number(path: Path) -> int:
    """The promotion in a name like p17 or e3-p17-1.log."""
    found = re.search(r"(?:^|-)p(\d+)", path.name)
    return int(found.group(1)) if found else -1


def _count(number: int) -> str:
    return f"{number} instance{'' if number == 1 else 's'}"
