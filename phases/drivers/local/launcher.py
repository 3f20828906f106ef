"""Becomes one deployed process: takes on its user, its folder and exactly its environment, then its command.

Started by the supervisor for each instance (`launcher.py record.json`); the keeper of a
migration becomes its command the same way. The record can be read by RelMan's own user
only, so no value is ever on a command line. When the supervisor was killed, its programs
run on; then this finds the process that is recorded and watches it in place of starting
a second one.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any, NoReturn

if not __package__:
    sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..")))
from phases.drivers.local import processes

PORT_TAKEN = 75
"""Exit code when somebody else has the instance's port."""
GRACE = 8.0
"""Seconds that an adopted process has to end by itself; the supervisor's patience is longer."""
LIBC = ctypes.CDLL(None, use_errno=True)
"""Loaded while this may still read the Python that it came from."""
NO_NEW_PRIVILEGES, DEATH_SIGNAL = 38, 1


def main() -> None:
    """Run the instance whose record is named."""
    with open(sys.argv[1], encoding="utf-8") as file:
        record = json.load(file)
    path = f"{sys.argv[1].removesuffix('.json')}.run"
    before = processes.recorded(path)
    process = before.get("process")
    under = processes.identify(os.getppid())
    if process and processes.is_alive(process):
        _write(path, {**before, "under": under})
        watch(process)
    if process:
        processes.end(lambda: processes.members(process), 0)
    if not processes.port_is_free(record["port"]):
        _say(record, f"Port {record['port']} is taken by another process; this instance cannot start.")
        sys.exit(PORT_TAKEN)
    launches = before.get("launches", 0) + 1 if before.get("under") == under else 1
    me = processes.identify(os.getpid())
    _write(path, {"process": me, "launches": launches, "since": time.time(), "under": under})
    become(record)


def watch(process: processes.Identity) -> NoReturn:
    """Stand in for a process that another supervisor started, until it ends or this is told to end it."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGTERM, lambda *_: None)
    while processes.is_alive(process):
        if select.select([reader], [], [], 0.5)[0]:
            break
    processes.end(lambda: processes.members(process), GRACE)
    sys.exit(0)


def become(record: dict[str, Any]) -> NoReturn:
    """Drop everything that is RelMan's and run the command. Never returns."""
    if record.get("log"):
        _redirect(record["log"], record.get("gid"))
    for sign in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(sign, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.closerange(3, 4096)
    os.umask(0o027)
    if record.get("uid") is not None:
        os.setgroups([])
        os.setresgid(record["gid"], record["gid"], record["gid"])
        os.setresuid(record["uid"], record["uid"], record["uid"])
    _control(NO_NEW_PRIVILEGES, 1)
    if record.get("tied"):
        _control(DEATH_SIGNAL, signal.SIGKILL)
    os.chdir(record["folder"])
    os.execve("/bin/sh", ["/bin/sh", "-c", record["command"]], record["environment"])  # noqa: S606 - this becomes the application


def _redirect(log: str, gid: int | None) -> None:
    """Standard output and error go to the log itself: a pipe would break when the supervisor is killed."""
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    if gid is not None:
        os.fchown(output, 0, gid)
        os.fchmod(output, 0o620)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


def _control(option: int, value: int) -> None:
    if LIBC.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option}) was refused")


def _say(record: dict[str, Any], sentence: str) -> None:
    with open(record["log"], "a", encoding="utf-8") as file:
        file.write(f"RelMan: {sentence}\n")


def _write(path: str, content: dict[str, Any]) -> None:
    beside = f"{path}.new"
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.replace(beside, path)


if __name__ == "__main__":
    main()
