"""Files of a backup: copied or linked, verified by digest, and on the disk before anybody relies on them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from relman.backup import BackupError

BLOCK = 1024 * 1024


def bring(source: Path, place: Path, digest: str) -> None:
    """The same bytes at `place`: a link where that is possible, else a copy; verified either way."""
    place.parent.mkdir(parents=True, exist_ok=True)
    beside = place.with_name(f".{place.name}.new")
    beside.unlink(missing_ok=True)
    try:
        os.link(source, beside)
    except OSError:
        shutil.copyfile(source, beside)
        beside.chmod(0o440)
    if hash_of(beside) != digest:
        beside.unlink()
        raise BackupError(f"The bytes of {source} are not those of sha256:{digest}: that file is damaged.")
    beside.replace(place)
    sync(place)
    sync(place.parent)


def hash_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def write(path: Path, content: Any, mode: int = 0o600) -> None:
    """A JSON file, whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
    sync(beside)
    beside.replace(path)
    sync(path.parent)


def read(path: Path, what: str) -> Any:
    """A JSON file. BackupError: it is missing or no JSON."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BackupError(f"{path} is no {what} of RelMan: {error}.") from None


def sync(path: Path) -> None:
    """Bring a file or a folder's names to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
