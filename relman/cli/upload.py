"""The multipart body of a release: streamed from the disk, piece by piece, and sent again from its start if need be."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from relman.cli.failure import usage
from relman.cli.progress import Progress

PIECE = 256 * 1024  # bytes; big enough to be fast, small enough to show progress


class Upload:
    """multipart/form-data with text fields first and the file last, so that the server can refuse before the file."""

    def __init__(self, fields: Mapping[str, str], name: str, path: Path, progress: Progress) -> None:
        self._path = path
        self._size = path.stat().st_size
        self._progress = progress
        boundary = f"relman-{uuid.uuid4().hex}"  # one for all tries: the same key must carry the same bytes
        self._head = _head(boundary, fields, name, path.name)
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self.length = len(self._head) + self._size + len(self._tail)

    def chunks(self) -> Iterator[bytes]:
        """Head, file, tail. A file that changes while it is sent stops the upload with a sentence."""
        self._progress.start()
        yield self._head
        yield from self._file()
        yield self._tail
        self._progress.sent()

    def _file(self) -> Iterator[bytes]:
        left = self._size
        with self._path.open("rb") as source:
            while left:
                piece = source.read(min(PIECE, left))
                if not piece:
                    raise usage(f"{self._path} became shorter while it was sent. Publish it when its build has ended.")
                yield piece
                left -= len(piece)
                self._progress.moved(len(piece))


def _head(boundary: str, fields: Mapping[str, str], name: str, filename: str) -> bytes:
    parts = []
    for field, value in fields.items():
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n')
        parts.append(f"Content-Type: text/plain; charset=utf-8\r\n\r\n{value}\r\n")
    safe = filename.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
    parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{safe}"\r\n')
    parts.append("Content-Type: application/octet-stream\r\n\r\n")
    return "".join(parts).encode(errors="surrogateescape")
