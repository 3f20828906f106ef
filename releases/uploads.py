"""Uploads are written to staging on the artifact's file system and hashed on the way; nothing sits in memory.

Whoever may not upload is refused before a byte of the body is read: by `guard`, and by the right that the view asks.
What a dead request leaves is removed with the request, and what a dead process leaves by `storage.clean_staging`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, Protocol

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

from releases import storage
from releases.storage import Staged
from relman import http, words
from relman.errors import RelManError, TooBig

if TYPE_CHECKING:
    Uploaded = UploadedFile[bytes]
else:
    Uploaded = UploadedFile

BLOCK = 256 * 1024
"""Bytes at a time, for reading and hashing."""
FIELDS = 1024 * 1024
"""Bytes that the fields around a file may take."""


class LengthRequired(RelManError):
    """A body of unknown length."""

    code = "length_required"
    status = 411


class Readable(Protocol):
    """Anything that gives bytes."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; empty at the end."""
        ...


class Writer:
    """One file in staging: written, counted and hashed in one go."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = storage.staging() / f"{uuid.uuid4().hex}{storage.SUFFIX}"
        self.size = 0
        self._hash = hashlib.sha256()
        self._file: IO[bytes] = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def write(self, block: bytes) -> None:
        """Append. Raises TooBig beyond the limit."""
        self.size += len(block)
        if self.size > settings.UPLOAD_MAX_BYTES:
            raise too_big()
        self._hash.update(block)
        self._file.write(block)

    def finish(self) -> Staged:
        """Bring it to the disk for good and close it."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return Staged(path=self.path, name=self.name, digest=self._hash.hexdigest(), size=self.size)

    def discard(self) -> None:
        """Close and remove it; nothing happens when it was kept, for then it lies elsewhere."""
        with contextlib.suppress(OSError):  # a full disk refuses what is still in hand
            self._file.close()
        self.path.unlink(missing_ok=True)


def stage(stream: Readable, name: str = "artifact") -> Staged:
    """Copy a stream into staging, hashing it. Raises TooBig; leaves nothing behind when it fails."""
    writer = Writer(name)
    try:
        while block := stream.read(BLOCK):
            writer.write(block)
        return writer.finish()
    except BaseException:
        writer.discard()
        raise


class StagedUpload(Uploaded):
    """An uploaded file that lies in staging. `staged` is what `publish_release` takes."""

    def __init__(self, staged: Staged, content_type: str | None) -> None:
        super().__init__(file=None, name=staged.name, content_type=content_type, size=staged.size)
        self.staged = staged

    def open(self, mode: str | None = None, *_: Any, **__: Any) -> Any:
        """Open it for reading."""
        self.file = self.staged.path.open(mode or "rb")
        return self


class HashingUploadHandler(FileUploadHandler):
    """Django's upload handler for every file that a form or the API sends."""

    chunk_size = BLOCK

    _writer: Writer

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._writer = Writer((self.file_name or "artifact")[:255])
        if self.request is not None:
            at_end(self.request, self._writer.discard)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._writer.write(raw_data)

    def file_complete(self, file_size: int) -> StagedUpload:
        return StagedUpload(self._writer.finish(), self.content_type)

    def upload_interrupted(self) -> None:
        self._writer.discard()


class UploadMiddleware:
    """Refuses a page's upload before its body is read, and removes what a request leaves in staging.

    Pages need it here because the check of a form's key already reads the body; the API's publish view refuses
    by itself, after it has looked at the token.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            return self._refuse(request) or self.get_response(request)
        finally:
            for clean in request.__dict__.get("_relman_at_end", ()):
                clean()

    def _refuse(self, request: HttpRequest) -> HttpResponse | None:
        if http.is_api(request) or not request.META.get("CONTENT_TYPE", "").startswith("multipart/"):
            return None
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        try:
            match = resolve(request.path_info)
            check = getattr(match.func, "check_upload", None)
            guard(request, takes_files=check is not None)
            if check is not None:
                check(request, *match.args, **match.kwargs)
        except Resolver404:
            return None
        except RelManError as error:
            http.record_refused(request, error)
            return http.answer(request, error)
        return None


def guard(request: HttpRequest, *, takes_files: bool = True) -> None:
    """Refuse a body by what its head says, before reading it. Raises TooBig or LengthRequired. A page that takes no
    files takes no more than a form: else whoever may sign in could fill the disk through any of them."""
    if "HTTP_TRANSFER_ENCODING" in request.META:
        raise LengthRequired("Say the length of the upload in a Content-Length header; RelMan takes no chunked body.")
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    if not takes_files and length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise TooBig("The request is larger than RelMan takes for a form or a document.")
    if length > settings.UPLOAD_MAX_BYTES + FIELDS:
        raise too_big()


def checked_by(check: Callable[..., None]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator of a page's view: `check(request, **kwargs)` is called before any of an upload's body is read."""

    def mark(view: Callable[..., Any]) -> Callable[..., Any]:
        view.check_upload = check  # type: ignore[attr-defined]  # a mark on the view
        return view

    return mark


def too_big() -> TooBig:
    """The refusal of what is larger than this installation takes."""
    return TooBig(
        f"The upload is larger than {words.size(settings.UPLOAD_MAX_BYTES)}, the most this RelMan takes. "
        "An administrator can raise RELMAN_UPLOAD_MAX_BYTES."
    )


def at_end(request: HttpRequest, clean: Callable[[], None]) -> None:
    """Call `clean` when the request is over, however it ends."""
    cleaners: list[Callable[[], None]] = request.__dict__.setdefault("_relman_at_end", [])
    cleaners.append(clean)
