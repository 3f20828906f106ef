"""Keeps a handful of processes running: starts them in order, restarts what dies, stops them in reverse."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from . import process
from .guard import Guard
from .process import Service, StartFailed

LOG_LIMIT = 5 * 1024 * 1024
"""Bytes; a log and the one before it are kept."""
STEADY = 5.0
"""Seconds after which a process counts as running well."""
LONGEST_PAUSE = 30.0


class Interrupted(Exception):
    """Somebody asked for the end, by Ctrl-C or SIGTERM."""


@dataclass
class Running:
    """One service, its process now, and how often in a row it died young."""

    service: Service
    process: subprocess.Popen[bytes]
    log: Path
    since: float
    young_deaths: int = 0
    due: float | None = None
    """When to start it again, while it is down."""


class Supervisor:
    """Runs services in batches. One thread: a child's life is tied to the thread that started it."""

    def __init__(self, home: Path, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        self.home, self.say = home, say
        self.batches: list[list[Running]] = []
        self.asked_to_stop = 0
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means to outlive the terminal
            signal.signal(signal.SIGHUP, self._on_signal)
        self.guard = Guard(home, environment)

    def batch(self, *services: Service) -> None:
        """Start these together and wait until all are ready. StartFailed, Interrupted."""
        batch: list[Running] = []
        self.batches.append(batch)
        for service in services:
            log = self.log(service.name)
            batch.append(Running(service, self._start(service, log), log, time.monotonic()))
        for running in batch:
            self._await(running)

    def once(self, name: str, argv: Sequence[str], environment: Mapping[str, str], *, shown: bool = False) -> None:
        """Run a command to its end while everything is kept running. StartFailed when it fails. `shown`: on the
        terminal instead of in a log."""
        log = self.log(name)
        service = Service(name, process.tied(argv, signal.SIGKILL), ready=lambda: True, environment=environment)
        child = process.start(service, None if shown else log)
        self.guard.started(child.pid, signal.SIGKILL)
        try:
            while child.poll() is None:
                self.tick()
        finally:
            process.stop(service, child)
            self.guard.ended(child.pid)
        if child.returncode:
            words = "" if shown else f" Its last words, from {log}:\n{process.tail(log)}"
            raise StartFailed(f"{name} failed (exit code {child.returncode}).{words}")

    def keep(self) -> None:
        """Keep everything running until somebody asks for the end: Interrupted."""
        while True:
            self.tick()

    def tick(self) -> None:
        """A fifth of a second: see who died, start who is due, rotate logs. Interrupted."""
        if self.asked_to_stop:
            raise Interrupted
        self.guard.check()
        for running in (one for batch in self.batches for one in batch):
            if running.due is None and running.process.poll() is not None:
                self._died(running)
            if running.due is not None and time.monotonic() >= running.due:
                self._start_again(running)
            _rotate(running.log)
        time.sleep(0.2)

    def stop(self) -> None:
        """Stop the batches, the last one first, and whatever they left. A second Ctrl-C makes it short."""
        self.asked_to_stop = 0
        for batch in reversed(self.batches):
            alive = [running for running in batch if running.process.poll() is None]
            for running in alive:
                running.process.send_signal(running.service.stop)
            for running in alive:
                self._wait(running)
            for running in batch:
                process.kill_group(running.process.pid)
                running.process.wait()
                running.service.cleanup()
                self.guard.ended(running.process.pid)
        self.batches.clear()
        self.guard.close()

    def log(self, name: str) -> Path:
        """The log of that service."""
        return self.home / "log" / f"{name.lower().replace(' ', '-')}.log"

    def _start(self, service: Service, log: Path) -> subprocess.Popen[bytes]:
        child = process.start(service, log)
        self.guard.started(child.pid, service.orphaned)
        return child

    def _start_again(self, running: Running) -> None:
        """Whatever stands in the way of one process must not end the others: say it and try later."""
        try:
            running.process, running.due = self._start(running.service, running.log), None
            running.since = time.monotonic()
        except Exception as problem:
            running.due = time.monotonic() + LONGEST_PAUSE / 6
            self.say(f"{running.service.name} cannot start: {problem}")

    def _await(self, running: Running) -> None:
        end = time.monotonic() + running.service.patience
        while not running.service.ready():
            if self.asked_to_stop:
                raise Interrupted
            process.check_start(running.service, running.process, running.log, end)
            time.sleep(0.05)

    def _died(self, running: Running) -> None:
        """End what it left behind and book its next start: at once, or later and later when it keeps dying young."""
        name, code = running.service.name, running.process.returncode
        process.kill_group(running.process.pid)
        self.guard.ended(running.process.pid)
        young = time.monotonic() - running.since < STEADY
        running.young_deaths = running.young_deaths + 1 if young else 0
        pause = min(LONGEST_PAUSE, 0.25 * 2**running.young_deaths) if running.young_deaths else 0.0
        running.due = time.monotonic() + pause
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        again = f"starts again in {pause:.1f} s; it keeps dying, see {running.log}" if pause > 1 else "starts again"
        self.say(f"{name} {how} and {again}.")

    def _wait(self, running: Running) -> None:
        end = time.monotonic() + running.service.grace
        while running.process.poll() is None and time.monotonic() < end and not self.asked_to_stop:
            time.sleep(0.05)

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        self.asked_to_stop += 1


def _rotate(log: Path) -> None:
    """Keep a log within its bound. Its writer appends to the file it has open, so the file is emptied, not moved."""
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        with contextlib.suppress(OSError):  # a full disk keeps no old log, and must stop nobody
            shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)
