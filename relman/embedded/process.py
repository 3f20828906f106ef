"""One process that RelMan starts, tied to the life of whoever started it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


class StartFailed(Exception):
    """A process did not become ready: the sentence names it, its log and its last words."""


@dataclass(frozen=True)
class Service:
    """How to start one process, how to see that it works, and how to end it."""

    name: str
    argv: Sequence[str]
    ready: Callable[[], bool]
    """Asked several times a second while it starts."""
    stop: signal.Signals = signal.SIGTERM
    """What asks it politely to end."""
    orphaned: signal.Signals = signal.SIGKILL
    """What it gets when its parent was killed."""
    grace: float = 10.0
    """Seconds between the polite signal and SIGKILL."""
    patience: float = 120.0
    """Seconds that it may take to become ready."""
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    prepare: Callable[[], object] = lambda: None
    """Done before each start, after a crash too: put right what the process needs or has left."""
    cleanup: Callable[[], object] = lambda: None
    """Done once it has ended for good."""


def tied(argv: Sequence[str], death: signal.Signals) -> list[str]:
    """The command that gets `death` when its parent dies, however it dies. (Only Linux has this.)"""
    setpriv = shutil.which("setpriv", path=SYSTEM_PATH)
    if setpriv is None:
        return list(argv)
    return [setpriv, "--pdeathsig", death.name.removeprefix("SIG"), "--", *argv]


SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def start(service: Service, log: Path | None) -> subprocess.Popen[bytes]:
    """Start it in a session of its own: a Ctrl-C in the terminal reaches only whoever started it. It writes to `log`,
    or to the terminal."""
    service.prepare()
    with contextlib.ExitStack() as files:
        output = files.enter_context(log.open("ab")) if log else None
        return subprocess.Popen(
            list(service.argv),
            env=dict(service.environment),
            cwd=service.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
        )


def await_ready(service: Service, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once it is ready. StartFailed when it ends or takes longer than its patience."""
    end = time.monotonic() + service.patience
    while not service.ready():
        check_start(service, process, log, end)
        time.sleep(0.05)


def check_start(service: Service, process: subprocess.Popen[bytes], log: Path, end: float) -> None:
    """StartFailed when it has ended, or when `end` (monotonic seconds) has passed."""
    if process.poll() is not None:
        raise StartFailed(f"{service.name} ended while it started. Its last words, from {log}:\n{tail(log)}")
    if time.monotonic() > end:
        raise StartFailed(f"{service.name} was not ready within {service.patience:.0f} s. From {log}:\n{tail(log)}")


def stop(service: Service, process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, wait its grace, then end it and whatever it left in its process group."""
    if process.poll() is None:
        process.send_signal(service.stop)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(service.grace)
    kill_group(process.pid)
    process.wait()


def kill_group(group: int, sign: signal.Signals = signal.SIGKILL) -> bool:
    """Send a signal to a process group. False when nobody is left in it."""
    try:
        os.killpg(group, sign)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
