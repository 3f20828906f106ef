"""What a target remembers of its own accord: the highest epoch, and every effect.

Both live in one folder for each environment. The fence is what makes a worker
that was replaced harmless; the ledger is what an independent checker reads to
count effects, so a line is written for each one that really happened.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from phases.drivers.base import Fenced, Transient

LOCK_PATIENCE = 15.0
"""Seconds to wait for another worker that is inside a short piece of work here."""


def write_synced(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file so that a crash leaves the old text or the new one, never half of either."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def file_lock(path: Path, stop: Callable[[], str | None] = lambda: None) -> Iterator[None]:
    """Hold a lock that ends with the process. Raises Transient when nobody lets go in time."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(descriptor, path, stop)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, stop: Callable[[], str | None]) -> None:
    deadline = time.monotonic() + LOCK_PATIENCE
    wait = 0.002
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            reason = stop()
            if reason or time.monotonic() > deadline:
                why = reason or f"another worker has been busy in {path.parent.name} for {LOCK_PATIENCE:.0f} s"
                raise Transient(f"The target is locked: {why}. It will be tried again.") from None
            time.sleep(wait)
            wait = min(0.1, wait * 2)
        else:
            return


class Fence:
    """The highest epoch that one environment has seen, kept on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "fence.json"

    def epoch(self) -> int:
        """The highest epoch seen so far; 0 when none was."""
        try:
            return int(json.loads(self._path.read_text(encoding="utf-8"))["epoch"])
        except FileNotFoundError:
            return 0

    @contextmanager
    def held(self, epoch: int, stop: Callable[[], str | None] = lambda: None) -> Iterator[bool]:
        """Keep others out for one short effect. Gives True when this epoch is new here; raises Fenced."""
        with file_lock(self._folder / "lock", stop):
            yield self._raise_to(epoch)

    def check(self, epoch: int) -> None:
        """Raise Fenced when somebody with a higher epoch has been here; needs no lock."""
        seen = self.epoch()
        if epoch < seen:
            raise Fenced(
                f"This worker holds epoch {epoch}, but the target has seen {seen}: another worker took over. "
                "Nothing was changed.",
                seen,
            )

    def _raise_to(self, epoch: int) -> bool:
        self.check(epoch)
        if epoch == self.epoch():
            return False
        write_synced(self._path, json.dumps({"epoch": epoch}))
        return True


class Ledger:
    """One environment's effects, a JSON line each, only ever appended to."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.jsonl"

    def append(self, what: str, *, effect: str, epoch: int, **more: Any) -> None:
        """Write one effect down and wait until it is on the disk."""
        line = json.dumps({"time": time.time(), "effect": effect, "epoch": epoch, "what": what, **more})
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, _line_end(descriptor) + line.encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def append_missing(self, what: str, *, effect: str, epoch: int, **more: Any) -> None:
        """Write an effect down that is known to have happened, if a crash kept us from it before."""
        name = more.get("name")
        if not any(e["effect"] == effect and e["what"] == what and e.get("name") == name for e in self.entries()):
            self.append(what, effect=effect, epoch=epoch, **more)

    def entries(self) -> Iterator[dict[str, Any]]:
        """Every effect, oldest first. A last line that a crash cut off is left out."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        for line in text.splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _line_end(descriptor: int) -> bytes:
    """What has to come first, after a full disk or a crash cut off the line before."""
    size = os.fstat(descriptor).st_size
    return b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""
