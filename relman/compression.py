"""Fewer bytes over the wire: pages are compressed as they are answered, static files once for each version of them."""

from __future__ import annotations

import gzip
import os
import tempfile
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any
from wsgiref.headers import Headers

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from servestatic.middleware import ServeStaticMiddleware

STATIC = (".css", ".js", ".mjs", ".svg", ".txt", ".json")
ANSWERS = ("text/html", "text/plain", "text/csv", "application/json")
LEAST = 512
"""Bytes below which compressing saves nothing."""


class CompressionMiddleware(GZipMiddleware):
    """Compresses what is answered whole. Streams (events, logs, exports) go out as they come: nobody may wait for a
    buffer to fill. Django pads each answer by chance, so that its length tells nothing of what it holds."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        kind = response.get("Content-Type", "").partition(";")[0]
        if response.streaming or kind not in ANSWERS:
            return response
        return super().process_response(request, response)


class StaticMiddleware(ServeStaticMiddleware):  # type: ignore[misc]  # the package has no types
    """Serves static files, with a compressed copy of each that is worth it below STATIC_ROOT."""

    def get_static_file(self, path: str, url: str, stat_cache: dict[str, os.stat_result] | None = None) -> Any:
        found = super().get_static_file(path, url, stat_cache=stat_cache)
        packed = pack(Path(path), Path(settings.STATIC_ROOT)) if path.endswith(STATIC) else None
        if packed is None:
            return found
        _, _, known = found.alternatives[-1]
        found.alternatives = [
            ("gzip", str(packed), _headers(known, {"Content-Encoding": "gzip", "Content-Length": _size(packed)})),
            (None, path, _headers(known, {})),
        ]
        return found


def _headers(known: list[tuple[str, str]], more: dict[str, str]) -> list[tuple[str, str]]:
    headers = Headers(list(known))
    for name, text in {"Vary": "Accept-Encoding", **more}.items():
        headers[name] = text
    return headers.items()


def _size(path: Path) -> str:
    return str(path.stat().st_size)


def pack(path: Path, folder: Path) -> Path | None:
    """The file's compressed copy in `folder`, made when it is not there; None when it is too small, or when there is
    no room: then it is served as it is."""
    with suppress(OSError):
        about = path.stat()
        if about.st_size < LEAST:
            return None
        name = blake2b(f"{path} {about.st_mtime_ns} {about.st_size}".encode(), digest_size=12).hexdigest()
        packed = folder / f"{name}.gz"
        if not packed.exists():
            _write(packed, gzip.compress(path.read_bytes(), mtime=0))
        return packed
    return None


def _write(packed: Path, content: bytes) -> None:
    """Whole or not at all: several processes start together."""
    packed.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=packed.parent, suffix=".part")
    try:
        with open(handle, "wb") as file:
            file.write(content)
        os.replace(name, packed)
    except OSError:
        os.unlink(name)
        raise
