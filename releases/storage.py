"""Where artifacts lie: addressed by digest, written beside and renamed into place."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

SUFFIX = ".part"
"""Of a file in staging that is being written."""


@dataclass(frozen=True)
class Staged:
    """A file in staging, hashed while it was written; size in bytes, digest in hexadecimal SHA-256."""

    path: Path
    name: str
    digest: str
    size: int


def root() -> Path:
    """The artifact storage of this installation."""
    return Path(settings.HOME) / "artifacts"


def staging() -> Path:
    """Where uploads are written: on the storage's file system, so that a rename is enough. Made when missing."""
    folder = root() / "staging"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def clean_staging(older_than: timedelta = timedelta(hours=6)) -> int:
    """Remove what dead processes left in staging; how many files. The safety round calls it."""
    limit = time.time() - older_than.total_seconds()
    removed = 0
    for path in staging().glob(f"*{SUFFIX}"):
        if _modified(path) < limit:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def relative(digest: str) -> str:
    """Where an artifact of this digest lies, below `root()`."""
    return f"sha256/{digest[:2]}/{digest}"


def path_of(digest: str) -> Path:
    """The file of this digest, whether it exists or not."""
    return root() / relative(digest)


def keep(staged: Staged) -> str:
    """Move a staged file to its digest's place, durably; the path below `root()`. The same bytes are kept once."""
    place = path_of(staged.digest)
    if place.exists() and place.stat().st_size == staged.size:
        staged.path.unlink(missing_ok=True)
        return relative(staged.digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    os.chmod(staged.path, 0o440)
    staged.path.replace(place)
    sync(place.parent)
    return relative(staged.digest)


def problem(digest: str, size: int, removed_at: datetime | None = None) -> str:
    """Why this artifact cannot be used, as a sentence; empty when it lies there with its size."""
    try:
        found = path_of(digest).stat().st_size
    except FileNotFoundError:
        if removed_at is not None:
            return f"Artifact removed by retention on {removed_at:%Y-%m-%d}. Publish the file again to bring it back."
        return f"The artifact sha256:{digest[:12]}… is missing from the storage. Publish it again, or restore it."
    if found != size:
        return f"The artifact sha256:{digest[:12]}… has {found} bytes, but {size} were published."
    return ""


def remove(digest: str) -> bool:
    """Take the bytes away, durably; False: they were gone already. Only retention calls this, under its lock."""
    place = path_of(digest)
    try:
        place.unlink()
    except FileNotFoundError:
        return False
    sync(place.parent)
    return True


def hash_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
