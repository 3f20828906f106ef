"""Files of a backup: copied or linked, verified by digest, and on the disk before anybody relies on them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from releases.storage import hash_of, sync
from relman.backup import BackupError


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


def write(path: Path, content: Any) -> None:
    """A JSON file, whole or not at all."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """A file that nobody else reads, whole or not at all, on the disk when this returns."""
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    sync(beside)
    beside.replace(path)
    sync(path.parent)


def read(path: Path, what: str) -> Any:
    """A JSON file. BackupError: it is missing or no JSON."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BackupError(f"{path} is no {what} of RelMan: {error}.") from None
