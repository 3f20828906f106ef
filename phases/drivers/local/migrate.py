"""The `migrate` step: a command that runs once, whoever watches it.

The command has a keeper (`migrator.py`) that outlives the worker. What the keeper wrote down tells the next worker
whether it still runs or how it ended; only when the keeper itself was lost (the machine went down) nobody can tell.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from phases.drivers.base import LEASE_LOST, Again, Context, Errored, Failed, Result, Succeeded
from phases.drivers.ledger import Fence, Ledger
from phases.drivers.local import instances, processes
from phases.drivers.local.layout import SYSTEM_PATH, Place
from phases.drivers.local.migrator import GRACE
from phases.drivers.masking import clean

MIGRATOR = Path(__file__).resolve().with_name("migrator.py")
LONGEST_LINE = 8 * 1024
MOST_LINES = 20_000
LOOK = 0.1
"""Seconds between two looks at a migration."""
STARTING = 15.0
"""Seconds that its keeper gets to write down who it is."""
MARGIN = 1.0
"""Its own time limit comes this much before the engine's, whose reason would be vaguer."""


def migrate(context: Context, place: Place, user: int | None) -> Result:
    """Run the manifest's command as the application's user, or go on watching it, or tell how it ended.

    Raises Fenced when another worker took over; the command goes on under that one's eyes."""
    with Fence(place.control).held(context.epoch, context.stop):
        ended = _ended(place, context.effect_key)
        if ended is not None:
            return _told(context, place, ended["code"])
        if _is_kept(place, context.effect_key):
            context.log("The migration went on meanwhile.")
        else:
            refused = _begin(context, place, user)
            if refused is not None:
                return refused
    output = _Output(context, place)
    return _watch(context, place, output) or _finish(context, place, output)


def end_leftover(place: Place, *, but: int | None = None) -> None:
    """End a migration that nobody waits for any more; the one of the promotion `but` goes on."""
    note = processes.recorded(str(_note(place)))
    if but is not None and note.get("promotion") == but:
        return
    if note.get("process"):
        processes.end(lambda: processes.members(note["process"]), GRACE)
    _note(place).unlink(missing_ok=True)


def _begin(context: Context, place: Place, user: int | None) -> Result | None:
    """Start it, once; None when it runs."""
    end_leftover(place)
    if _began(context, place) and not _may_repeat(context):
        return Errored("The migration was cut off together with whoever watched it. Nobody can tell how far it came.")
    for left in (_log(place), _read(place)):
        left.unlink(missing_ok=True)
    return None if _start(context, place, user) else Failed("The migration could not be started.")


def _start(context: Context, place: Place, user: int | None) -> bool:
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(MIGRATOR)],
        env={"PATH": ":".join(SYSTEM_PATH)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with cast(IO[bytes], process.stdin) as standard_input:
        standard_input.write(json.dumps(_record(context, place, user)).encode())
    threading.Thread(target=process.wait, daemon=True).start()  # nobody else would notice its end
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline and processes.identify(process.pid):
        if _is_kept(place, context.effect_key):
            return True
        time.sleep(0.01)
    return _is_kept(place, context.effect_key)


def _record(context: Context, place: Place, user: int | None) -> dict[str, Any]:
    return {
        "command": str(context.artifact.manifest["migrate"]["command"]),
        "folder": str(place.release(context.promotion)),
        "environment": instances.environment_of(context, place, None),
        "uid": user,
        "gid": user,
        "tied": True,
        "seconds": max(0.5, _limit(context) - MARGIN),
        "effect": context.effect_key,
        "promotion": context.promotion,
        "epoch": context.epoch,
        "control": str(place.control),
        "note": str(_note(place)),
        "log": str(_log(place)),
    }


def _watch(context: Context, place: Place, output: _Output) -> Result | None:
    """Pass on what it says until it ends (None) or is to be stopped."""
    fence_due = 0.0
    while _runs(place):
        output.read()
        now = time.monotonic()
        if now > fence_due:
            fence_due = now + 1.0
            Fence(place.control).check(context.epoch)
        reason = context.stop()
        if reason:
            return _stopped(context, place, reason)
        time.sleep(LOOK)
    return None


def _stopped(context: Context, place: Place, reason: str) -> Result:
    if reason == LEASE_LOST:
        return Again(0.0, "The migration goes on; whoever takes over watches it.")
    with Fence(place.control).held(context.epoch):
        end_leftover(place)
    if _may_repeat(context):
        return Again(0.0, f"The migration was stopped: {reason}. It may run again.")
    return Errored(f"The migration was stopped in the middle: {reason}. Nobody can tell how far it came.")


def _finish(context: Context, place: Place, output: _Output) -> Result:
    output.finish()
    with Fence(place.control).held(context.epoch, context.stop):
        note = processes.recorded(str(_note(place)))
        if "code" in note:
            Ledger(place.control).append(
                "migrated",
                effect=context.effect_key,
                epoch=context.epoch,
                promotion=context.promotion,
                code=note["code"],
            )
        end_leftover(place)
    if "code" not in note:
        if _may_repeat(context) or not _began(context, place):
            return Again(0.0, "The migration was cut off. It may run again.")
        return Errored("The migration was cut off. Nobody can tell how far it came.")
    if note["code"] == 0:
        return Succeeded(f"Migrated{_quoted(output.last)}")
    return _failed(context, note["code"], output.last)


def _told(context: Context, place: Place, code: int | None) -> Result:
    """Its end, once more."""
    return Succeeded("Had been migrated.") if code == 0 else _failed(context, code, _last_line(_log(place)))


def _failed(context: Context, code: int | None, last: str) -> Failed:
    if code is None:
        return Failed(f"The migration did not end within {_limit(context):.0f} s and was stopped.")
    how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return Failed(f"The migration {how}{_quoted(last) or ' and said nothing'}")


def _quoted(last: str) -> str:
    return f": {last}" if last else ""


def _limit(context: Context) -> float:
    return float(context.parameters.get("timeout", 300.0))


def _began(context: Context, place: Place) -> bool:
    """Whether the command itself was ever started for this effect."""
    lines = Ledger(place.control).entries()
    return any(e["effect"] == context.effect_key and e["what"] == "migrating" for e in lines)


def _may_repeat(context: Context) -> bool:
    return bool(context.artifact.manifest["migrate"].get("resume") == "idempotent")


def _ended(place: Place, key: str) -> dict[str, Any] | None:
    """The ledger's line about its end."""
    lines = (e for e in Ledger(place.control).entries() if e["effect"] == key and e["what"] == "migrated")
    return next(lines, None)


def _is_kept(place: Place, key: str) -> bool:
    """Whether this very migration runs, or has left word of its end."""
    note = processes.recorded(str(_note(place)))
    return note.get("effect") == key and ("code" in note or processes.is_alive(note["process"]))


def _runs(place: Place) -> bool:
    note = processes.recorded(str(_note(place)))
    return bool(note) and "code" not in note and processes.is_alive(note["process"])


class _Output:
    """What the command says, line by line to the promotion's log, within bounds; the next worker reads on from here."""

    def __init__(self, context: Context, place: Place) -> None:
        self._context, self._place = context, place
        self._rest = b""
        self._lines = 0
        self._at = _number(_read(place))
        self.last = ""

    def read(self) -> bool:
        """Pass on what came since. False when there was nothing."""
        try:
            with _log(self._place).open("rb") as file:
                file.seek(self._at)
                data = file.read(65536)
        except FileNotFoundError:
            return False
        if not data:
            return False
        for line in self._split(data):
            self._say(line)
        self._at += len(data)
        _read(self._place).write_text(str(self._at - len(self._rest)))
        return True

    def finish(self) -> None:
        """Pass on what is left."""
        while self.read():
            continue
        if self._rest:
            self._say(self._rest)
        self.last = self.last or _last_line(_log(self._place))

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


def _last_line(path: Path) -> str:
    """What it said last, when an earlier worker has passed it on."""
    try:
        lines = path.read_bytes()[-LONGEST_LINE:].split(b"\n")
    except FileNotFoundError:
        return ""
    said = (clean(line.decode("utf-8", "replace")).strip() for line in reversed(lines))
    return next(filter(None, said), "")[:500]


def _number(path: Path) -> int:
    try:
        return int(path.read_text() or 0)
    except (OSError, ValueError):
        return 0


def _note(place: Place) -> Path:
    """Where the running migration is written down, for whoever has to watch or end it."""
    return place.control / "migrating.json"


def _log(place: Place) -> Path:
    """What it said."""
    return place.control / "migrating.log"


def _read(place: Place) -> Path:
    """How many bytes of that the promotion's log has."""
    return place.control / "migrating.read"
