"""Ends what `up` started when `up` itself was killed and can no longer do it.

It reads process groups from a pipe whose other end only `up` holds: "+group signal" when one starts, "-group" when
one ended. The pipe's end is the end of `up`. It holds `run/guard.lock` until nothing is left, so that the next start
can wait for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from .process import kill_group

ROOT = Path(__file__).resolve().parents[2]
GRACE = 20.0
"""Seconds between a polite signal and SIGKILL: deployed applications alone may take ten."""


class Guard:
    """The end of the pipe that `up` holds."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._lock, self._environment = home / "run" / "guard.lock", environment
        self._groups: dict[int, int] = {}
        self._writer = -1
        self._process = self._start()

    def started(self, group: int, sign: signal.Signals) -> None:
        """From now on this process group gets `sign` when `up` is killed."""
        self._groups[group] = int(sign)
        self._tell(f"+{group} {int(sign)}")

    def ended(self, group: int) -> None:
        """That group is gone."""
        self._groups.pop(group, None)
        self._tell(f"-{group}")

    def check(self) -> None:
        """Start it again when it died."""
        if self._process.poll() is not None:
            os.close(self._writer)
            self._process = self._start()

    def close(self) -> None:
        """Nothing is left to guard. May be called again."""
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1
        self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        reader, self._writer = os.pipe()
        command = [sys.executable, "-m", "relman.embedded.guard", str(self._lock)]
        environment = {**os.environ, **self._environment}
        process = subprocess.Popen(command, stdin=reader, start_new_session=True, cwd=ROOT, env=environment)
        os.close(reader)
        for group, sign in self._groups.items():
            self._tell(f"+{group} {sign}")
        return process

    def _tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self._writer, line.encode() + b"\n")


def wait_for(home: Path, patience: float = GRACE + 10) -> bool:
    """Wait until the guard of a killed `up` has cleaned up. False when it did not within `patience` seconds."""
    end = time.monotonic() + patience
    with (home / "run" / "guard.lock").open("a") as lock:
        while time.monotonic() < end:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(0.1)
    return False


def main(lock_path: str) -> None:
    """Hold the lock, read until the pipe ends, then end every group that is left."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)
    with Path(lock_path).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        left: dict[int, int] = {}
        for line in sys.stdin:
            sign_and_group = line[1:].split()
            if line.startswith("+"):
                left[int(sign_and_group[0])] = int(sign_and_group[1])
            else:
                left.pop(int(sign_and_group[0]), None)
        finish(left)


def finish(groups: dict[int, int]) -> None:
    """Each group gets its signal; those that take longer than the grace get SIGKILL."""
    end = time.monotonic() + GRACE
    left = {group for group, sign in groups.items() if kill_group(group, signal.Signals(sign))}
    while left and time.monotonic() < end:
        time.sleep(0.05)
        left = {group for group in left if _alive(group)}
    for group in left:
        kill_group(group)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1])
