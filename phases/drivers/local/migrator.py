"""Keeps one migration: a process of its own, so that the command outlives the worker that started it.

Started by the `migrate` step with a record on standard input. It writes down who it is, makes sure that its epoch
is still the highest, notes in the ledger that the command begins, runs it as the application's user, keeps what it
says in a file, and writes down how it ended: whoever takes the promotion over finds it running, or its end.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

if not __package__:
    sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..")))
from phases.drivers.ledger import Fence, Ledger
from phases.drivers.local import launcher, processes

LONGEST_OUTPUT = 32 * 1024 * 1024
"""Bytes of output that are kept; the rest is read and dropped."""
GRACE = 3.0
"""Seconds between asking a migration to end and ending it."""


def main() -> None:
    """Run the command on standard input to its end, and leave word of it."""
    record: dict[str, Any] = json.load(sys.stdin)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # asked together with the command, this waits for its end
    me = processes.identify(os.getpid()) or {}
    note = {"process": me, "effect": record["effect"], "promotion": record["promotion"]}
    write(record["note"], note)
    control = Path(record["control"])
    if Fence(control).epoch() > record["epoch"]:
        sys.exit(0)  # somebody took over before the command began
    more = {name: record[name] for name in ("effect", "epoch", "promotion")}
    Ledger(control).append("migrating", **more)
    code = run(record, me)
    while True:
        try:
            write(record["note"], {**note, "code": code})
        except OSError:  # a full disk must not hide how it ended
            time.sleep(1)
        else:
            return


def run(record: dict[str, Any], me: processes.Identity) -> int | None:
    """The command's exit code; None when its time was over."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        launcher.become(record)
    os.close(writer)
    log = os.open(record["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    deadline = time.monotonic() + record["seconds"]
    status, room, late = None, LONGEST_OUTPUT, False
    while status is None:
        room -= keep(reader, log, room, 0.2)
        ended, found = os.waitpid(child, os.WNOHANG)
        if ended:
            status = found
        elif time.monotonic() > deadline and not late:
            late = True
            end_others(me, GRACE)
    keep_rest(reader, log, room)
    end_others(me, 0)
    return None if late else os.waitstatus_to_exitcode(status)


def keep(reader: int, log: int, room: int, seconds: float) -> int:
    """Keep what the command says within some time. Gives how much that was."""
    if reader_is_over(reader, seconds):
        return 0
    data = os.read(reader, 65536)
    if not data:
        time.sleep(min(seconds, 0.05))
    with suppress(OSError):
        os.write(log, data[: max(0, room)])
    return len(data)


def keep_rest(reader: int, log: int, room: int) -> None:
    """What is still in the pipe; whoever holds its other end is not waited for."""
    deadline = time.monotonic() + 1.0
    while room > 0 and time.monotonic() < deadline and not reader_is_over(reader, 0):
        got = keep(reader, log, room, 0)
        room -= got
        if not got:
            return


def reader_is_over(reader: int, seconds: float) -> bool:
    """Whether nothing comes within this time."""
    return not select.select([reader], [], [], seconds)[0]


def end_others(me: processes.Identity, grace: float) -> None:
    """End everybody of the command's group but this."""
    processes.end(lambda: [pid for pid in processes.members(me) if pid != me["pid"]], grace)


def write(path: str, content: dict[str, Any]) -> None:
    """Replace a note; after a crash it is the old one or the new one."""
    beside = f"{path}.new"
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


if __name__ == "__main__":
    main()
