"""What the files of a deployed release should be: noted when they are unpacked, compared whenever RelMan looks.

Only files that the artifact brought count; what an application writes beside them is its own. Where applications run
as RelMan's own user, Python rewrites the compiled modules that an artifact brought as soon as it starts: these do not
count there. A file whose size and change time are as noted is not read again, so that a look costs one `lstat` a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phases.drivers.ledger import write_synced
from phases.drivers.local.layout import Place, is_root

CHUNK = 1024 * 1024
REWRITTEN = "__pycache__"
NAMED = 5
"""Changed files that are named."""
CANDIDATES = 100
"""Other artifacts that changed files are compared with, the newest first."""
LEAST = 200
"""Files that each look compares, however little time it has left: so every tree is read through one day."""

_next: dict[str, int] = {}
"""Folder -> where the next look of this process goes on, when the last one had no time for all of it."""

Note = Mapping[str, Any]
"""digest (of the artifact), files: {path: [size, sha256, change time in ns]}; a link's content is where it leads."""


def read(folder: Path, tick: Callable[[], None] = lambda: None) -> dict[str, list[Any]]:
    """Every file below a folder, with size, digest and change time. `tick` is called often, and may raise."""
    found = {}
    for name, path in _files(folder):
        tick()
        found[name] = _facts(path)
    return found


def note(place: Place, folder: Path, digest: str, files: Mapping[str, list[Any]]) -> None:
    """Keep what was unpacked into this release folder."""
    path = _path(place, folder)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_synced(path, json.dumps({"digest": digest, "files": files}))


def forget(place: Place, folder: Path) -> None:
    """The release folder is gone."""
    _next.pop(str(folder), None)
    _path(place, folder).unlink(missing_ok=True)


@dataclass(frozen=True)
class Compared:
    """`digest`: of the artifact whose files are there, None when nothing was noted (it was unpacked by an earlier
    RelMan). `changed`: what is not as unpacked, a few. `unread`: how many files this look had no time for."""

    digest: str | None = None
    changed: Sequence[str] = ()
    unread: int = 0


def compare(place: Place, folder: Path, deadline: float) -> Compared:
    """Compare until `deadline` (monotonic); the next look goes on where this one had to stop."""
    try:
        noted: Note = json.loads(_path(place, folder).read_text())
    except (FileNotFoundError, ValueError):
        return Compared()
    changed, unread = _changed(folder, noted["files"], deadline)
    if not changed:
        return Compared(str(noted["digest"]), (), unread)
    return Compared(_whose(place, folder, noted["digest"], deadline), sorted(changed)[:NAMED], unread)


def _changed(folder: Path, files: Mapping[str, list[Any]], deadline: float) -> tuple[list[str], int]:
    """What is not as noted, a few; and how many files are left for the next look."""
    names = list(files)
    begin = _next.pop(str(folder), 0) % max(1, len(names))
    changed: list[str] = []
    for number, name in enumerate(names[begin:] + names[:begin]):
        if number >= LEAST and time.monotonic() > deadline:
            _next[str(folder)] = begin + number
            return changed, len(names) - number
        if not _is(folder / name, files[name]):
            changed.append(name)
            if len(changed) >= NAMED:
                break
    return changed, 0


def _whose(place: Place, folder: Path, own: str, deadline: float) -> str:
    """Whether all files of another artifact that was ever unpacked on this target are there: its digest, or nothing."""
    notes = sorted(place.control.parent.glob("*/trees/*.json"), key=_age)[:CANDIDATES]
    tried = {own}
    for path in notes:
        try:
            noted: Note = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if time.monotonic() > deadline:
            break
        if noted["digest"] in tried or not noted["files"]:
            continue
        tried.add(noted["digest"])
        if all(_same(folder / name, facts) for name, facts in noted["files"].items()):
            return str(noted["digest"])
    return ""


def _age(path: Path) -> float:
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0


def _is(path: Path, facts: list[Any]) -> bool:
    """Whether a file is as noted; it is read only when its size is right and its change time is not."""
    try:
        now = path.lstat()
    except OSError:
        return False
    return bool(now.st_size == facts[0] and now.st_ctime_ns == facts[2]) or _same(path, facts)


def _same(path: Path, facts: list[Any]) -> bool:
    try:
        return bool(path.lstat().st_size == facts[0] and _digest(path) == facts[1])
    except OSError:
        return False


def _facts(path: Path) -> list[Any]:
    about = path.lstat()
    return [about.st_size, _digest(path), about.st_ctime_ns]


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"-> {os.readlink(path)}"
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for above, folders, names in os.walk(folder):
        if REWRITTEN in folders and not is_root():
            folders.remove(REWRITTEN)
        links = [name for name in folders if (Path(above) / name).is_symlink()]
        for name in (*names, *links):
            path = Path(above) / name
            yield str(path.relative_to(folder)), path


def _path(place: Place, folder: Path) -> Path:
    return place.trees / f"{folder.name}.json"
