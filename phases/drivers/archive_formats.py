"""Reading .tar.gz and .zip entry by entry, as a stream, whatever their headers claim.

Nothing here trusts a size: one that is too large is refused before a byte is unpacked, and the bytes are counted all
the same as they come out; a header can neither be endless nor lead the reader backwards.
"""

from __future__ import annotations

import gzip
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Literal, Self

from phases.drivers.archive_errors import Findings, printable

CHUNK = 256 * 1024
HEADER_BUDGET = 1024 * 1024
"""Bytes of headers that may come before one entry: long names need some, a bomb needs more."""
MOST_RATIO = 50
"""How many times its own size an archive may unpack to: programs reach ten, bombs a thousand."""
SMALL = 64 * 1024 * 1024
"""Unpacked bytes below which nobody asks for the ratio."""
MOST_DIRECTORY_BYTES = 64 * 1024 * 1024
"""Size of a zip's table of contents that is read at all."""

Kind = Literal["file", "directory", "symlink", "hardlink", "other"]
REPACK = "Pack it again, and check that the upload was complete."


@dataclass(frozen=True)
class Limits:
    """What an unpacked archive may be at most."""

    max_bytes: int
    max_entries: int
    packed: int
    """Bytes of the archive itself."""

    @property
    def most(self) -> int:
        """Bytes that may come out of it."""
        return min(self.max_bytes, max(SMALL, self.packed * MOST_RATIO))

    def too_many(self) -> tuple[str, str, str]:
        """The error for more entries than allowed."""
        return (
            "archive",
            f"It holds more than {self.max_entries:,} entries, which is the limit here.",
            "Leave out what the application does not need at run time, or ask the installation's administrator "
            "to raise RELMAN_UNPACKED_MAX_ENTRIES.",
        )

    def too_big(self) -> tuple[str, str, str]:
        """The error for more bytes than allowed."""
        if self.most < self.max_bytes:
            return (
                "archive",
                f"Unpacked it is more than {MOST_RATIO} times as large as packed, which is the limit here.",
                "Leave out files that are mostly empty, such as images of disks and databases.",
            )
        return (
            "archive",
            f"Unpacked it is larger than {self.max_bytes / 2**20:,.1f} MiB, which is the limit here.",
            "Leave out what the application does not need at run time, or ask the installation's administrator "
            "to raise RELMAN_UNPACKED_MAX_BYTES.",
        )


@dataclass(frozen=True)
class Entry:
    """One entry as its header describes it; the content is read while it is the current one."""

    name: str
    kind: Kind
    executable: bool
    link: str
    chunks: Iterator[bytes]
    size: int = 0
    """Bytes of content that the header claims."""
    complaint: str = ""
    """A sentence when the header itself is refused."""


def entries(file: BinaryIO, limits: Limits, findings: Findings) -> Iterator[Entry]:
    """Every entry in order, the content to be read before the next is asked for; inside `damage_refused`.

    Raises ArchiveRefused when the file is neither kind of archive or outgrows the limits."""
    file.seek(0)
    magic = file.read(4)
    file.seek(0)
    if magic[:2] == b"\x1f\x8b":
        reader = _tar(file, limits, findings)
    elif magic == b"PK\x03\x04":
        reader = _zip(file, limits, findings)
    else:
        raise findings.fatal(
            "archive", "It is neither a .tar.gz nor a .zip file.", "Pack it with: tar -czf app.tar.gz ."
        )
    yield from reader


@contextmanager
def damage_refused(findings: Findings) -> Iterator[None]:
    """Turn whatever a damaged archive makes its reader stumble over into ArchiveRefused."""
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, struct.error) as error:
        raise findings.fatal("archive", f"It is damaged: {printable(str(error)) or 'unreadable'}.", REPACK) from None
    except (EOFError, gzip.BadGzipFile):
        raise findings.fatal("archive", "It is damaged or cut off.", REPACK) from None
    except (RecursionError, NotImplementedError, OverflowError, ValueError) as error:
        raise findings.fatal("archive", f"It cannot be read: {type(error).__name__}.", REPACK) from None


class _Header(tarfile.TarInfo):
    """Says so when a header is unreadable; tarfile would take it for the end and leave out the rest."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]  # typeshed lacks them
            raise tarfile.ReadError(str(error)) from None


class _Stream:
    """What gzip gives, forward only, counted; made to look like a file for tarfile."""

    def __init__(self, file: BinaryIO, limits: Limits, findings: Findings) -> None:
        self._gzip = gzip.GzipFile(fileobj=file, mode="rb")
        self._position = 0
        self._limits = limits
        self._findings = findings
        self._most = limits.most + limits.max_entries * 2048 + HEADER_BUDGET
        self.budget = HEADER_BUDGET

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Read a header: costs from the budget."""
        if size < 0 or size > self.budget:
            raise self._findings.fatal("archive", "One of its headers is far too long.", REPACK)
        self.budget -= size
        return self.take(size)

    def take(self, size: int) -> bytes:
        """Read without touching the budget; fewer bytes only at the end."""
        parts = []
        while size > 0 and (part := self._gzip.read(min(size, CHUNK))):
            parts.append(part)
            size -= len(part)
            self._position += len(part)
            if self._position > self._most:
                raise self._findings.fatal(*self._limits.too_big())
        return b"".join(parts)

    def seek(self, position: int) -> None:
        if position < self._position:
            raise self._findings.fatal("archive", "Its headers contradict each other.", REPACK)
        while self._position < position:
            if not self.take(min(CHUNK, position - self._position)):
                raise EOFError

    def drain(self) -> None:
        """Read to the end, so that gzip compares its checksum."""
        while self.take(CHUNK):
            pass


def _tar(file: BinaryIO, limits: Limits, findings: Findings) -> Iterator[Entry]:
    stream = _Stream(file, limits, findings)
    with tarfile.TarFile(fileobj=stream, mode="r", tarinfo=_Header) as archive:  # type: ignore[arg-type]  # forward only is enough
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # typeshed lacks it; else all are kept
            yield _tar_entry(member, stream)
            stream.budget = HEADER_BUDGET
    stream.drain()


def _tar_entry(member: tarfile.TarInfo, stream: _Stream) -> Entry:
    kind: Kind = "other"
    complaint = ""
    if member.issparse():
        complaint = "It is stored as a sparse file, which is not supported."
    elif member.isreg():
        kind = "file"
    elif member.isdir():
        kind = "directory"
    elif member.issym():
        kind = "symlink"
    elif member.islnk():
        kind = "hardlink"
    chunks, size = _tar_chunks(member, kind, stream), member.size if kind == "file" else 0
    return Entry(member.name, kind, bool(member.mode & 0o111), member.linkname, chunks, size, complaint)


def _tar_chunks(member: tarfile.TarInfo, kind: Kind, stream: _Stream) -> Iterator[bytes]:
    left = member.size if kind == "file" else 0
    while left > 0:
        chunk = stream.take(min(CHUNK, left))
        if not chunk:
            raise EOFError
        left -= len(chunk)
        yield chunk


def _zip(file: BinaryIO, limits: Limits, findings: Findings) -> Iterator[Entry]:
    _check_directory(file, limits, findings)
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        _check_overlaps(infos, findings)
        if sum(info.file_size for info in infos) > limits.most:
            raise findings.fatal(*limits.too_big())
        for info in infos:
            yield _zip_entry(archive, file, info, findings)


def _check_directory(file: BinaryIO, limits: Limits, findings: Findings) -> None:
    """Refuse a table of contents that would fill the memory, before zipfile reads it whole."""
    file.seek(0, 2)
    size = file.tell()
    tail_size = min(size, 65536 + 22)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    at = len(tail) - 22 if tail[-22:-18] == b"PK\x05\x06" and tail[-2:] == b"\0\0" else tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        raise findings.fatal("archive", "It is cut off: its table of contents is missing.", REPACK)
    if len(tail) - at - 22 != struct.unpack("<H", tail[at + 20 : at + 22])[0]:
        raise findings.fatal("archive", "Something follows after its end.", REPACK)
    if tail[max(0, at - 20) : at].startswith(b"PK\x06\x07"):
        raise findings.fatal("archive", "It is a zip64 file, which is not supported.", "Pack it as .tar.gz instead.")
    length, start = struct.unpack("<II", tail[at + 12 : at + 20])
    if start + length != size - tail_size + at:
        raise findings.fatal("archive", "Its table of contents lies about its place.", REPACK)
    if length > MOST_DIRECTORY_BYTES or _count(file, start, length, limits.max_entries) > limits.max_entries:
        raise findings.fatal(*limits.too_many())


def _count(file: BinaryIO, start: int, length: int, most: int) -> int:
    """Entries in the table of contents, counted one by one, since its own count may lie."""
    file.seek(start)
    data = file.read(length)
    at = found = 0
    while at + 46 <= len(data) and found <= most:
        name, extra, comment = struct.unpack("<HHH", data[at + 28 : at + 34])
        at += 46 + name + extra + comment
        found += 1
    return found


def _check_overlaps(infos: list[zipfile.ZipInfo], findings: Findings) -> None:
    """Entries that share bytes are how a small zip becomes a huge one."""
    end = 0
    for info in sorted(infos, key=lambda one: one.header_offset):
        if info.header_offset < end:
            findings.add(info.filename, "It shares bytes with another entry.", REPACK)
        end = info.header_offset + 30 + len(info.orig_filename) + info.compress_size


def _zip_entry(archive: zipfile.ZipFile, file: BinaryIO, info: zipfile.ZipInfo, findings: Findings) -> Entry:
    mode = info.external_attr >> 16 if info.create_system == 3 else 0
    complaint = _zip_complaint(file, info)
    chunks = iter(()) if complaint else _zip_chunks(archive, info)
    kind: Kind = "other"
    link = ""
    if info.is_dir():
        kind = "directory"
    elif stat.S_ISLNK(mode):
        kind = "symlink"
        if not complaint:
            link = b"".join(_zip_chunks(archive, info))[:8192].decode("utf-8", "surrogateescape")
    elif stat.S_IFMT(mode) in (0, stat.S_IFREG):
        kind = "file"
    return Entry(info.orig_filename, kind, bool(mode & 0o111), link, chunks, info.file_size, complaint)


def _zip_complaint(file: BinaryIO, info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 0x41:
        return "It is encrypted."
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "It is compressed in a way that is not supported (only stored and deflated are)."
    file.seek(info.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        return "Its header is not where the table of contents says."
    flags, method, packed, size, name_length = struct.unpack("<6xHH8xIIH2x", header)
    name = file.read(name_length)
    streamed = flags & 0x08 or 0xFFFFFFFF in (packed, size)
    sizes_differ = not streamed and (packed, size) != (info.compress_size, info.file_size)
    if (flags ^ info.flag_bits) & 0x49 or method != info.compress_type or sizes_differ or name != _raw_name(info):
        return "Its header and the table of contents disagree."
    return "It is a link with a very long target." if _is_long_link(info) else ""


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    return info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")


def _is_long_link(info: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16) and info.file_size > 4096


def _zip_chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content; zipfile ends it at the size in the header and compares the checksum there."""
    with archive.open(info) as content:
        while chunk := content.read(CHUNK):
            yield chunk
