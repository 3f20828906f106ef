"""Who runs on this machine, seen through /proc: kept so small that the launcher can afford it.

A process is known by its number, its start time and the boot it lives in, since
numbers are given out again. Its group is what is ended together.
"""

from __future__ import annotations

import glob
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Identity = Mapping[str, Any]
"""pid, start (clock ticks after boot), group, session, boot: plain JSON."""


def boot() -> str:
    """Which boot of the machine this is."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def identify(pid: int) -> dict[str, Any] | None:
    """What tells this process from all others; None when it is gone (or a zombie)."""
    stat = _stat(pid)
    if stat is None or stat[0] in "ZX":
        return None
    return {"pid": pid, "start": int(stat[19]), "group": int(stat[2]), "session": int(stat[3]), "boot": boot()}


def is_alive(identity: Identity) -> bool:
    """Whether exactly this process still runs."""
    now = identify(int(identity["pid"]))
    return now is not None and now["start"] == identity["start"] and now["boot"] == identity["boot"]


def members(identity: Identity) -> list[int]:
    """Everybody in the group that this process led, itself included, also after its own end."""
    if identity["boot"] != boot():
        return []
    leader = identify(int(identity["pid"]))
    if leader is not None and leader["start"] != identity["start"]:
        return []
    wanted = (str(identity["group"]), str(identity["session"]))
    return [pid for pid, stat in _all() if (stat[2], stat[3]) == wanted and int(stat[19]) >= identity["start"]]


def strays(environment: Mapping[str, str]) -> list[int]:
    """Processes that carry these variables, wherever they went: children that left their group."""
    wanted = {f"{name}={value}".encode() for name, value in environment.items()}
    return [pid for pid, _ in _all() if wanted <= _environment(pid)]


def of_user(uid: int) -> list[int]:
    """All processes of one numeric user."""
    found = []
    for pid, _ in _all():
        try:
            if os.stat(f"/proc/{pid}").st_uid == uid:
                found.append(pid)
        except OSError:
            continue
    return found


def end(find: Callable[[], list[int]], grace: float) -> int:
    """Ask whoever `find` gives to end, and make them after `grace` seconds. Gives how many there were."""
    first = find()
    if grace > 0:
        _send(first, signal.SIGTERM)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and find():
        time.sleep(0.05)
    last_try = time.monotonic() + 5
    while (left := find()) and time.monotonic() < last_try:
        _send(left, signal.SIGKILL)
        time.sleep(0.02)
    return len(first)


def recorded(run: str) -> dict[str, Any]:
    """What an instance's launcher wrote down: process, launches and since; empty when it never ran."""
    try:
        with open(run, encoding="utf-8") as file:
            found: dict[str, Any] = json.load(file)
            return found
    except (OSError, ValueError):
        return {}


def end_all_recorded(control: str, grace: float) -> None:
    """End what launchers and keepers of migrations wrote down, in all environments."""
    for pattern in ("*/instances/*.run", "*/migrating.json"):
        for run in glob.glob(f"{control}/{pattern}"):
            end_recorded(run, grace)


def end_recorded(run: str, grace: float) -> None:
    """End the processes that one instance's launcher wrote down."""
    identity = recorded(run).get("process")
    if identity:
        end(lambda: members(identity), grace)


def port_is_free(port: int) -> bool:
    """Whether this port of the loopback address can be listened on now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def listens(port: int, pids: Iterable[int]) -> bool | None:
    """Whether one of these processes listens on a port of this machine; None when nobody at all does."""
    inodes = _listening(port)
    if not inodes:
        return None
    return any(inodes & _sockets(pid) for pid in pids)


def _listening(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            continue
        found |= {row[9] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}
    return found


def _sockets(pid: int) -> set[str]:
    found = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{name}")
            if target.startswith("socket:["):
                found.add(target[8:-1])
    except OSError:
        pass
    return found


def _send(pids: Iterable[int], sign: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, sign)
        except OSError:
            continue


def _all() -> list[tuple[int, list[str]]]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = _stat(int(name))
            if stat is not None and stat[0] not in "ZX":
                found.append((int(name), stat))
    return found


def _stat(pid: int) -> list[str] | None:
    """The fields after the process's name, which may hold anything."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def _environment(pid: int) -> set[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return set(file.read().split(b"\0"))
    except OSError:
        return set()
