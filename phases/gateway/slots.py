"""Where an environment's requests go: small files that Caddy reads at each request.

A switch writes a new folder (a generation) of SLOTS files and then replaces one symbolic link: every request sees the
old addresses or the new ones, never a mixture, and no connection is touched. Reloading Caddy instead lost requests
under load; this loses none. Caddy's list of upstreams has a fixed length, so the slots are filled in a circle.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .errors import GatewayError, Stale

SLOTS = 12
KEEP_GENERATIONS = 3
KEEP_SECONDS = 60.0
ADDRESS = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?):([1-9][0-9]{0,4})")


def slot(folder: Path, environment: int, number: int) -> Path:
    """The file that holds the address of slot `number`."""
    return _room(folder, environment) / "current" / str(number)


def switch(folder: Path, environment: int, upstreams: Sequence[str], *, epoch: int | None = None) -> None:
    """Send the environment's next requests to `upstreams` ("host:port"); none: nothing is live.

    Durable when it returns; a crash leaves the old addresses or the new ones. With `epoch`, a lower one than the
    highest seen is refused (Stale). GatewayError: not an address, or more than SLOTS of them.
    """
    chosen = _checked(upstreams)
    room = _room(folder, environment)
    with _alone(room):
        _replace(room, chosen, _fence(room, epoch))


def upstreams(folder: Path, environment: int) -> list[str]:
    """The addresses that serve now, without repetition; empty: nothing is live."""
    room = _room(folder, environment)
    try:
        generation = room / os.readlink(room / "current")
        found = [(generation / str(number)).read_text().strip() for number in range(SLOTS)]
    except FileNotFoundError:
        return []
    return [address for address in dict.fromkeys(found) if address]


def prepare(folder: Path, environment: int) -> None:
    """Make sure that the slots exist, so that an environment with nothing live is an empty file and not an error."""
    last, room = slot(folder, environment, SLOTS - 1), _room(folder, environment)
    if last.exists():
        return
    with _alone(room):
        if not last.exists():
            _replace(room, [], _fence(room, None), durable=False)


def remove(folder: Path, environment: int) -> None:
    """Forget an environment that is no more."""
    shutil.rmtree(_room(folder, environment), ignore_errors=True)


def _room(folder: Path, environment: int) -> Path:
    return folder / "environments" / str(int(environment))


def _checked(upstreams: Sequence[str]) -> list[str]:
    if len(upstreams) > SLOTS:
        raise GatewayError(f"The gateway spreads requests over at most {SLOTS} instances, not {len(upstreams)}.")
    for address in upstreams:
        match = ADDRESS.fullmatch(address)
        if not match or int(match[1]) > 65535:
            raise GatewayError(f"“{address}” is not an address of the form host:port.")
    return list(upstreams)


@contextmanager
def _alone(room: Path) -> Iterator[None]:
    """One switch of an environment at a time; the lock goes when the process does."""
    room.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (room / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fence(room: Path, epoch: int | None) -> int:
    """The highest epoch seen, which is kept in each generation."""
    try:
        seen = int((room / "current" / "epoch").read_text())
    except (FileNotFoundError, ValueError):
        seen = 0
    if epoch is not None and epoch < seen:
        raise Stale(f"The traffic was switched by a newer promotion (epoch {seen}); this one ({epoch}) is too late.")
    return max(seen, epoch or 0)


def _replace(room: Path, chosen: Sequence[str], epoch: int, *, durable: bool = True) -> None:
    """A new generation in the place of the present one. Not `durable`: it can be made again from nothing."""
    generation = room / f"{time.time_ns():020d}-{secrets.token_hex(4)}"
    _write(generation, chosen, epoch)
    if durable:
        _sync(*generation.iterdir(), generation)
    _point(room, generation)
    if durable:
        _sync(room)
    _forget_old(room, generation)


def _write(generation: Path, chosen: Sequence[str], epoch: int) -> None:
    """One file for each address; the other slots are further names of the same files."""
    generation.mkdir(mode=0o700)
    distinct = list(chosen) or [""]
    for number, content in [*enumerate(distinct), ("epoch", str(epoch))]:
        (generation / str(number)).write_text(content)
    for number in range(len(distinct), SLOTS):
        os.link(generation / str(number % len(distinct)), generation / str(number))


def _point(room: Path, generation: Path) -> None:
    """The switch itself: one rename."""
    link = room / "next"
    link.unlink(missing_ok=True)
    link.symlink_to(generation.name)
    link.replace(room / "current")


def _sync(*paths: Path) -> None:
    """Bring files and folders to the disk, each once."""
    for path in {path.stat().st_ino: path for path in paths}.values():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _forget_old(room: Path, current: Path) -> None:
    """Delete generations that no request can be reading any more; a request that has just opened one is done long
    before KEEP_SECONDS."""
    limit = time.time_ns() - int(KEEP_SECONDS * 1e9)
    older = sorted(path for path in room.iterdir() if path.is_dir() and not path.is_symlink() and path != current)
    for path in older[:-KEEP_GENERATIONS]:
        if int(path.name.partition("-")[0]) < limit:
            shutil.rmtree(path, ignore_errors=True)
