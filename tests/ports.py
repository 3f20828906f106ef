"""Ports for servers that tests start: nobody else is given one between its choice and its use.

A port that the kernel chose and that was let go again may be chosen for somebody else, a client's end of a connection
too, before the server has come up. So these lie below the kernel's own range, and each is held by a lock until the
process ends that asked for it: other test processes, and other runs on the same machine, choose others.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

FIRST, LAST = 12_000, 20_999
"""Below the ports of deployed applications (21000 to 29999), and those the kernel gives out (from 32768)."""
_held: list[int] = []
"""Descriptors of locks; they go with the process, also when it is killed."""


def free_port() -> int:
    """A port of 127.0.0.1 that is free, and this process's alone."""
    folder = Path(tempfile.gettempdir()) / f"relman-test-ports-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    chance = random.Random(os.urandom(8))  # whatever seed a test has set
    for port in chance.sample(range(FIRST, LAST + 1), LAST + 1 - FIRST):
        if _hold(folder / str(port)) and _is_free(port):
            return port
    raise RuntimeError(f"No port between {FIRST} and {LAST} is free.")


def _hold(path: Path) -> bool:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    _held.append(handle)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
