"""Check an application's archive as a whole, and unpack it without trusting it.

`inspect_archive` is asked at publishing and lists every error at once;
`unpack_archive` applies the same rules again while it writes, so that a file
that changed in between is refused too. Links are made last, when every file is
in its place: no write can ever pass through one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from phases.drivers.archive_errors import ArchiveError, ArchiveRefused, Findings
from phases.drivers.archive_formats import Entry, Limits, damage_refused, entries
from phases.drivers.archive_tree import Tree
from phases.drivers.manifest import LARGEST, NAME, Manifest, read_manifest

__all__ = ["ArchiveError", "ArchiveRefused", "Manifest", "inspect_archive", "unpack_archive"]

MAX_BYTES = 2 * 2**30
MAX_ENTRIES = 50_000


def inspect_archive(
    path: Path | BinaryIO,
    *,
    max_bytes: int = MAX_BYTES,
    max_entries: int = MAX_ENTRIES,
    tick: Callable[[], None] = lambda: None,
) -> Manifest:
    """The manifest of a sound archive. Raises ArchiveRefused with every error, OSError if unreadable.

    `tick` is called often and may raise to end the work."""
    findings = Findings()
    with _opened(path) as file, damage_refused(findings):
        return _walk(file, Limits(max_bytes, max_entries, _length(file)), _Nowhere(), tick, findings)


def unpack_archive(
    path: Path | BinaryIO,
    destination: Path,
    *,
    max_bytes: int = MAX_BYTES,
    max_entries: int = MAX_ENTRIES,
    tick: Callable[[], None] = lambda: None,
) -> Manifest:
    """Unpack into `destination`, which must be a new, empty folder that nobody else can write to.

    Raises ArchiveRefused like `inspect_archive`; what was written until then is for the caller to remove."""
    findings = Findings()
    with _opened(path) as file, damage_refused(findings):
        return _walk(file, Limits(max_bytes, max_entries, _length(file)), _Folder(destination), tick, findings)


@contextmanager
def _opened(path: Path | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(path, Path):
        with path.open("rb") as file:
            yield file
    else:
        yield path


def _length(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)


class _Nowhere:
    """Where entries go when they are only checked."""

    def open(self, path: str, executable: bool) -> int | None:
        return None

    def folder(self, path: str) -> None:
        pass

    def links(self, tree: Tree) -> None:
        pass


class _Folder(_Nowhere):
    """Where entries go when they are unpacked."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, path: str, executable: bool) -> int | None:
        self.folder(os.path.dirname(path))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        descriptor = os.open(self._root / path, flags, 0o600)
        os.fchmod(descriptor, 0o755 if executable else 0o644)
        return descriptor

    def folder(self, path: str) -> None:
        here = self._root
        for part in filter(None, path.split("/")):
            here = here / part
            if not here.is_dir():
                here.mkdir(mode=0o755)
                here.chmod(0o755)

    def links(self, tree: Tree) -> None:
        for path in tree.hardlinks:
            self.folder(os.path.dirname(path))
            os.link(self._root / tree.hardlink_source(path), self._root / path, follow_symlinks=False)
        for path, target in tree.symlinks.items():
            self.folder(os.path.dirname(path))
            os.symlink(target, self._root / path)


def _walk(file: BinaryIO, limits: Limits, place: _Nowhere, tick: Callable[[], None], findings: Findings) -> Manifest:
    tree = Tree(findings)
    manifest: bytes | None = None
    left = limits.most
    for count, entry in enumerate(entries(file, limits, findings), 1):
        if count > limits.max_entries:
            raise findings.fatal(*limits.too_many())
        if entry.size > left:
            raise findings.fatal(*limits.too_big())
        path = tree.add(entry)
        if path and entry.kind == "directory":
            place.folder(path)
        is_manifest = path == NAME and entry.kind == "file"
        kept, size = _content(entry, path, place, left, tick, keep=LARGEST + 1 if is_manifest else 0)
        left -= size
        if left < 0:
            raise findings.fatal(*limits.too_big())
        manifest = kept if is_manifest else manifest
    tree.finish()
    result = _manifest(manifest, tree, findings)
    findings.raise_if_any()
    place.links(tree)
    return result


def _content(
    entry: Entry, path: str | None, place: _Nowhere, left: int, tick: Callable[[], None], *, keep: int
) -> tuple[bytes, int]:
    """Read one entry's bytes, write them where they belong, and give the first ones and how many there were."""
    target = place.open(path, entry.executable) if path and entry.kind == "file" else None
    kept, size = bytearray(), 0
    try:
        for chunk in entry.chunks:
            tick()
            size += len(chunk)
            if size > left:
                break
            kept += chunk[: keep - len(kept)] if len(kept) < keep else b""
            if target is not None:
                _write(target, chunk)
    finally:
        if target is not None:
            os.close(target)
    return bytes(kept), size


def _write(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _manifest(data: bytes | None, tree: Tree, findings: Findings) -> Manifest:
    if data is None:
        folder = tree.find(NAME).rpartition("/")[0]
        cure = "Write one; `relman init` makes a first version."
        if folder:
            cure = f"Pack what is inside {folder}, not the folder itself: tar -C {folder} -czf app.tar.gz ."
        findings.add(NAME, "There is no file relman.toml at the root of the archive.", cure)
        return {}
    if len(data) > LARGEST:
        findings.add(NAME, f"It is larger than {LARGEST // 1024} KiB.", "Shorten it.")
        return {}
    return read_manifest(data, findings)
