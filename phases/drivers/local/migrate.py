"""The `migrate` step: a command that may run once, in a process group that ends with the step."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from phases.drivers.base import Again, Context, Errored, Failed, Result, Succeeded
from phases.drivers.ledger import Fence, Ledger, write_synced
from phases.drivers.local import instances, processes
from phases.drivers.local.layout import SYSTEM_PATH, Place
from phases.drivers.masking import clean

LAUNCHER = Path(__file__).resolve().with_name("launcher.py")
LONGEST_LINE = 8 * 1024
MOST_LINES = 20_000
GRACE = 3.0
"""Seconds between asking a migration to end and ending it."""
MARGIN = 1.0
"""Its own time limit comes this much before the engine's, whose reason would be vaguer."""


def migrate(context: Context, place: Place, user: int | None) -> Result:
    """Run the manifest's command as the application's user. Raises Fenced when another worker took over."""
    ledger, key = Ledger(place.control), context.effect_key
    if any(e["effect"] == key and e["what"] == "migrated" and e["code"] == 0 for e in ledger.entries()):
        return Succeeded("Had been migrated.")
    with Fence(place.control).held(context.epoch, context.stop):
        end_leftover(place)
        ledger.append("migrating", effect=key, epoch=context.epoch, promotion=context.promotion)
        process = _start(context, place, user)
        identity = processes.identify(process.pid)
        write_synced(_note(place), json.dumps({"process": identity, "effect": key}))
    output = _Output(context)
    try:
        ended = _wait(context, place, process, output)
    finally:
        if identity:
            processes.end(lambda: processes.members(identity), GRACE if process.poll() is None else 0)
        process.wait()
        output.finish(process)
    if ended is not None:
        return ended
    return _finish(context, place, process.returncode, output)


def end_leftover(place: Place) -> None:
    """End a migration whose worker was replaced or killed."""
    process = processes.recorded(str(_note(place))).get("process")
    if process:
        processes.end(lambda: processes.members(process), GRACE)
    _note(place).unlink(missing_ok=True)


def _start(context: Context, place: Place, user: int | None) -> subprocess.Popen[bytes]:
    record = {
        "command": str(context.artifact.manifest["migrate"]["command"]),
        "folder": str(place.release(context.promotion)),
        "environment": instances.environment_of(context, place, None),
        "uid": user,
        "gid": user,
        "tied": True,
    }
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(LAUNCHER)],
        env={"PATH": ":".join(SYSTEM_PATH)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    with cast(IO[bytes], process.stdin) as standard_input:
        standard_input.write(json.dumps(record).encode())
    return process


def _wait(context: Context, place: Place, process: subprocess.Popen[bytes], output: _Output) -> Result | None:
    """Until it ends (None), takes too long, or is to be stopped."""
    limit = float(context.parameters.get("timeout", 300.0))
    deadline = time.monotonic() + max(0.5, limit - MARGIN)
    fence_due = 0.0
    while process.poll() is None:
        output.read(process, 0.2)
        now = time.monotonic()
        if now > deadline:
            return Failed(f"The migration did not end within {limit:.0f} s and was stopped.")
        if now > fence_due:
            fence_due = now + 1.0
            Fence(place.control).check(context.epoch)
        reason = context.stop()
        if reason:
            return _stopped(context, reason)
    return None


def _stopped(context: Context, reason: str) -> Result:
    if context.artifact.manifest["migrate"].get("resume") == "idempotent":
        return Again(0.0, f"The migration was stopped: {reason}. It may run again.")
    return Errored(f"The migration was stopped in the middle: {reason}. Nobody can tell how far it came.")


def _finish(context: Context, place: Place, code: int, output: _Output) -> Result:
    with Fence(place.control).held(context.epoch, context.stop):
        Ledger(place.control).append(
            "migrated", effect=context.effect_key, epoch=context.epoch, promotion=context.promotion, code=code
        )
        _note(place).unlink(missing_ok=True)
    said = f": {output.last}" if output.last else ""
    if code == 0:
        return Succeeded(f"Migrated{said}")
    how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return Failed(f"The migration {how}{said or ' and said nothing'}")


class _Output:
    """What the command writes, line by line to the promotion's log, within bounds."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._rest = b""
        self._lines = 0
        self.last = ""

    def read(self, process: subprocess.Popen[bytes], seconds: float) -> bool:
        """Pass on what came within some time. False when nothing will come any more."""
        stream = _stream(process)
        if stream.closed:
            time.sleep(min(seconds, 0.05))
            return False
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            if not selector.select(seconds):
                return True
        data = os.read(stream.fileno(), 65536)
        if not data:
            stream.close()
            return False
        for line in self._split(data):
            self._say(line)
        return True

    def finish(self, process: subprocess.Popen[bytes]) -> None:
        """Pass on what is left; whoever still holds the other end is not waited for."""
        deadline = time.monotonic() + 1.0
        while self.read(process, 0.0) and time.monotonic() < deadline and self._more(process):
            continue
        if self._rest:
            self._say(self._rest)
        _stream(process).close()

    def _more(self, process: subprocess.Popen[bytes]) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(_stream(process), selectors.EVENT_READ)
            return bool(selector.select(0))

    def _split(self, data: bytes) -> Iterator[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        yield from lines
        while len(self._rest) > LONGEST_LINE:
            yield self._rest[:LONGEST_LINE]
            self._rest = self._rest[LONGEST_LINE:]

    def _say(self, line: bytes) -> None:
        text = clean(line[:LONGEST_LINE].decode("utf-8", "replace")).rstrip()
        if text:
            self.last = text[:500]
        self._lines += 1
        if self._lines < MOST_LINES:
            self._context.log(text)
        elif self._lines == MOST_LINES:
            self._context.log(f"More than {MOST_LINES:,} lines; the rest is left out.")


def _stream(process: subprocess.Popen[bytes]) -> IO[bytes]:
    return cast(IO[bytes], process.stdout)


def _note(place: Place) -> Path:
    """Where the running migration is written down, for whoever has to end it."""
    return place.control / "migrating.json"
