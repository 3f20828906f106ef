"""A whole RelMan as real processes, for tests: its own data directory and ports, started by `manage.py up`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[1]


def wait_until(what: Callable[[], bool], seconds: float) -> float | None:
    """Seconds until it was true; None when it was not in time."""
    begin = time.monotonic()
    while not what():
        if time.monotonic() - begin > seconds:
            return None
        time.sleep(0.05)
    return time.monotonic() - begin


@contextmanager
def started(command: list[str], **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is gone, and waited for, when the test ends, however it ends."""
    with subprocess.Popen(command, **more) as process:
        try:
            yield process
        finally:
            process.kill()


def free_ports() -> tuple[int, int]:
    """For the web process and the gateway."""
    return free_port(), free_port()


@dataclass
class Installation:
    """One data directory and two ports, and the `up` that runs there."""

    home: Path
    port: int
    gateway_port: int
    demo: bool = False
    process: subprocess.Popen[bytes] | None = None

    @property
    def screen(self) -> Path:
        """The file that stands in for the terminal."""
        return self.home.with_suffix(".screen")

    def environment(self) -> dict[str, str]:
        """What `up` is told; nothing of the test run's own stores and keys."""
        ports = {"RELMAN_PORT": str(self.port), "RELMAN_GATEWAY_PORT": str(self.gateway_port)}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RELMAN_", "PYTEST_"))}
        return {**kept, **ports, "RELMAN_HOME": str(self.home), "RELMAN_DEMO": "1" if self.demo else ""}

    def start(self, seconds: float = 240) -> None:
        """Return once it says that it is ready (a demo: seeded too)."""
        with self.screen.open("wb") as screen:
            command = [sys.executable, "manage.py", "up"]
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment(), stdout=screen, stderr=screen, start_new_session=True
            )
        assert wait_until(self.is_ready, seconds) is not None, self.said()

    def is_ready(self) -> bool:
        """Whether it said so; fails with what it said instead when it ended."""
        assert self.process is not None
        assert self.process.poll() is None, self.said()
        return "RelMan is ready at" in self.said()

    def said(self) -> str:
        """Everything it wrote on the screen."""
        return self.screen.read_text()

    def end(self, sign: signal.Signals, seconds: float = 120) -> int:
        """Send a signal and wait for the end: the exit code."""
        assert self.process is not None
        self.process.send_signal(sign)
        return self.process.wait(seconds)

    def processes(self) -> dict[int, str]:
        """Every process that carries our data directory and port, but `up` itself: number -> command line."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            pid = int(folder.name)
            if (self.process is None or pid != self.process.pid) and self._ours(folder):
                with suppress(OSError):  # it ended just now
                    found[pid] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return {pid: command for pid, command in found.items() if command}

    def _ours(self, folder: Path) -> bool:
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            return False
        return {f"RELMAN_HOME={self.home}".encode(), f"RELMAN_PORT={self.port}".encode()} <= set(variables)

    def mains(self, word: str) -> set[int]:
        """The processes of one service that `up` itself started."""
        assert self.process is not None
        return {pid for pid, line in self.processes().items() if word in line and parent(pid) == self.process.pid}


def parent(pid: int) -> int:
    """The number of a process's parent; 0 when it is gone. (The kernel's list of children may leave some out while
    others end.)"""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
