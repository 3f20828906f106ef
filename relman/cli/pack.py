"""Packs a directory into a .tar.gz that is the same, byte for byte, whenever the files are the same.

Names are sorted; owners, and all of the mode but "may be run", are left out; times are one: SOURCE_DATE_EPOCH, else the
commit's, else a fixed day. (Not zero: some servers make their cache tags from a file's time.)
"""

from __future__ import annotations

import fnmatch
import gzip
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from relman.cli import git
from relman.cli.failure import usage

FIXED_TIME = 315532800  # 1980-01-01, the first day a .zip can hold
LEFT_OUT = (".git", ".hg", ".svn", "__pycache__", "*.pyc", ".DS_Store", ".venv", ".env", ".env.*", ".*_cache")
IGNORE_FILE = ".relmanignore"
MOST_ENTRIES = 200_000


def pack(directory: Path, target: IO[bytes]) -> list[str]:
    """Write the archive of `directory` to `target`; returns the names (relative) that were left out.

    Raises Failure when the directory has no relman.toml or holds what no archive of RelMan may hold.
    """
    if not (directory / "relman.toml").is_file():
        raise usage(f"{directory} has no relman.toml. Write one with: relman init {directory}")
    skipped: list[str] = []
    moment = _moment(directory)
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0, compresslevel=6) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, name in _entries(directory, skipped):
            _add(archive, path, name, moment, directory)
    return skipped


def _moment(directory: Path) -> int:
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given.isdigit():
        return int(given)
    return git.commit_time(directory) or FIXED_TIME


def _entries(directory: Path, skipped: list[str]) -> Iterator[tuple[Path, str]]:
    """Every file and directory with its name in the archive, in one order on every machine."""
    patterns = [*LEFT_OUT, *_ignored(directory)]
    count, waiting = 0, [(directory, "")]
    while waiting:
        place, prefix = waiting.pop()
        below = []
        for name in sorted(os.listdir(place)):
            path, full = place / name, prefix + name
            if _matches(full, patterns):
                skipped.append(full)
                continue
            count += 1
            if count > MOST_ENTRIES:
                raise usage(f"{directory} holds more than {MOST_ENTRIES} files. Leave some out with {IGNORE_FILE}.")
            yield path, full
            if path.is_dir() and not path.is_symlink():
                below.append((path, full + "/"))
        waiting += reversed(below)


def _ignored(directory: Path) -> list[str]:
    try:
        lines = (directory / IGNORE_FILE).read_text().splitlines()
    except FileNotFoundError:
        return []
    return [line.strip().strip("/") for line in lines if line.strip() and not line.startswith("#")]


def _matches(full: str, patterns: list[str]) -> bool:
    """A pattern without a slash means a name anywhere, one with a slash a place below the directory."""
    name = full.rpartition("/")[2]
    return any(fnmatch.fnmatchcase(full if "/" in pattern else name, pattern) for pattern in patterns)


def _add(archive: tarfile.TarFile, path: Path, name: str, moment: int, root: Path) -> None:
    state = path.lstat()
    entry = tarfile.TarInfo(name)
    entry.mtime = moment
    if stat.S_ISDIR(state.st_mode):
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(entry)
    elif stat.S_ISLNK(state.st_mode):
        entry.type, entry.mode, entry.linkname = tarfile.SYMTYPE, 0o777, _link(path, name, root)
        archive.addfile(entry)
    elif stat.S_ISREG(state.st_mode):
        entry.size = state.st_size
        entry.mode = 0o755 if state.st_mode & 0o100 else 0o644
        with path.open("rb") as source:
            archive.addfile(entry, source)
    else:
        raise usage(f"{root / name} is neither a file, a directory nor a link: RelMan would refuse the archive.")


def _link(path: Path, name: str, root: Path) -> str:
    """Where a link points; one that leaves the directory would be refused by RelMan, so it is said here."""
    target = os.readlink(path)
    depth = len(PurePosixPath(name).parent.parts)
    for part in PurePosixPath(target).parts:
        depth += {"..": -1, ".": 0}.get(part, 1)
        if depth < 0:
            break
    if depth < 0 or target.startswith("/"):
        raise usage(f"The link {root / name} points to {target}, outside of the directory: RelMan would refuse it.")
    return target
