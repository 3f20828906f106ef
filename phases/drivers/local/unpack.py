"""The `unpack` step: the artifact beside, checked, synced, checked again, then renamed into place."""

from __future__ import annotations

import ctypes
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from phases.drivers.archive import MAX_BYTES, MAX_ENTRIES, unpack_archive
from phases.drivers.base import Context, Package, Result, Succeeded, Terminal
from phases.drivers.ledger import Fence, Ledger, sync_folder
from phases.drivers.local import trees
from phases.drivers.local.layout import Place, is_root

CHUNK = 1024 * 1024


def unpack(context: Context, place: Place, tick: Callable[[], None]) -> Result:
    """Bring the artifact into the release folder of this promotion; nothing half is ever there.

    Raises ArchiveRefused, Terminal for another digest, Fenced, OSError for a full disk."""
    package = context.artifact
    final = place.release(context.promotion)
    if not _is_noted(place, context, package) or not final.exists():
        beside = place.releases / f".p{context.promotion}-{context.epoch}-{secrets.token_hex(4)}"
        sweep(place, context.promotion, below=context.epoch)
        try:
            _write(package, place, beside, tick)
            files = trees.read(beside, tick)
            with Fence(place.control).held(context.epoch, context.stop):
                if not (_is_noted(place, context, package) and final.exists()):
                    shutil.rmtree(final, ignore_errors=True)
                    os.rename(beside, final)
                    sync_folder(place.releases)
                    trees.note(place, final, package.digest.removeprefix("sha256:"), files)
                    _note(place, context, package)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return Succeeded(f"Unpacked {package.version}, sha256 {package.digest[:12]}.")


def sweep(place: Place, promotion: int, *, below: float = float("inf")) -> None:
    """Remove what interrupted attempts with a lower epoch left beside."""
    for left in place.releases.glob(f".p{promotion}-*"):
        if int(left.name.split("-")[1]) < below:
            shutil.rmtree(left, ignore_errors=True)


def _write(package: Package, place: Place, beside: Path, tick: Callable[[], None]) -> None:
    try:
        file = package.path.open("rb")
    except OSError as error:
        raise Terminal(f"The artifact of {package.version} cannot be read: {error.strerror}.") from None
    with file:
        verify(file, package, tick)
        beside.mkdir(mode=0o755)
        _open(beside, place)
        limits = (_limit("RELMAN_UNPACKED_MAX_BYTES", MAX_BYTES), _limit("RELMAN_UNPACKED_MAX_ENTRIES", MAX_ENTRIES))
        unpack_archive(file, beside, max_bytes=limits[0], max_entries=limits[1], tick=tick)
        _sync_all(beside)
        verify(file, package, tick)


def _open(folder: Path, place: Place) -> None:
    """The application may write beside what its artifact brought (a marker, a small database), as it may where it runs
    as RelMan's own user; the sticky bit keeps it from replacing or removing anything that is not its own."""
    folder.chmod(0o755)
    if is_root():
        os.chown(folder, 0, place.public.stat().st_gid)
        folder.chmod(0o1775)


def verify(file: BinaryIO, package: Package, tick: Callable[[], None]) -> None:
    """Raise Terminal unless the file has the size and the digest that were published."""
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK):
        tick()
        digest.update(chunk)
        size += len(chunk)
    expected = package.digest.removeprefix("sha256:")
    if size != package.size or digest.hexdigest() != expected:
        raise Terminal(
            f"The artifact of {package.version} is not the one that was published: expected sha256 {expected[:12]}… "
            f"with {package.size:,} bytes, found {digest.hexdigest()[:12]}… with {size:,}. Nothing was deployed."
        )


def ticker(context: Context, place: Place) -> Callable[[], None]:
    """Something to call often in long work: raises Stopped or Fenced when it is time to stop."""
    asked = fenced = time.monotonic()

    def tick() -> None:
        nonlocal asked, fenced
        now = time.monotonic()
        if now - asked > 0.2:
            asked = now
            reason = context.stop()
            if reason:
                raise Stopped(reason)
        if now - fenced > 1.0:
            fenced = now
            Fence(place.control).check(context.epoch)

    return tick


class Stopped(Exception):
    """The engine wants the step to stop; its reason."""


def _is_noted(place: Place, context: Context, package: Package) -> bool:
    """Whether the ledger says that this very artifact was unpacked for this promotion."""
    wanted = {"what": "unpacked", "promotion": context.promotion, "digest": package.digest}
    return any(wanted.items() <= entry.items() for entry in Ledger(place.control).entries())


def _note(place: Place, context: Context, package: Package) -> None:
    Ledger(place.control).append(
        "unpacked",
        effect=context.effect_key,
        epoch=context.epoch,
        promotion=context.promotion,
        version=package.version,
        digest=package.digest,
    )


def _sync_all(folder: Path) -> None:
    """Make everything in a folder durable: one call for its file system, not one for each of 50,000 files."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        done = -1
        with suppress(AttributeError):
            done = ctypes.CDLL(None, use_errno=True).syncfs(descriptor)
        if done:
            os.sync()
    finally:
        os.close(descriptor)


def _limit(name: str, otherwise: int) -> int:
    return int(os.environ.get(name) or otherwise)
