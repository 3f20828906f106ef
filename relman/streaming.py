"""Large request bodies under ASGI: read by the view as they arrive, not before it is asked.

Django's own handler writes the whole body to a temporary file first. Then a stranger could fill the disk
before anybody looks at the token, and every upload would be written twice. Under WSGI bodies stream anyway.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from django.core.handlers.asgi import ASGIHandler
from django.http.request import UnreadablePostError

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
SMALL = 64 * 1024
"""Bytes: a declared body up to this is read at once, as Django does."""
READ = 256 * 1024
PATIENCE = 60.0
"""Seconds without a byte after which a sender is given up."""


class Inbox:
    """One request's `receive`, and where its body stands."""

    def __init__(self, receive: Receive, *, large: bool) -> None:
        self._receive = receive
        self.large = large
        self.more = True
        self.ended = asyncio.Event()

    async def __call__(self) -> Mapping[str, Any]:
        return await self._receive()

    async def next(self) -> bytes:
        """The next bytes of the body; empty at its end. Raises UnreadablePostError when the sender is gone."""
        while self.more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.more = False
                raise UnreadablePostError("The sender hung up before the end.")
            self.more = bool(message.get("more_body", False))
            if not self.more:
                self.ended.set()
            if body := message.get("body", b""):
                return cast(bytes, body)
        return b""


class Body(io.RawIOBase):
    """The body as a file that a view's thread reads while the event loop receives."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._loop = asyncio.get_running_loop()
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` with what is there, waiting for the first byte at most PATIENCE seconds."""
        if not self._rest:
            self._rest = memoryview(self._fetch())
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def _fetch(self) -> bytes:
        waiting = asyncio.run_coroutine_threadsafe(self._inbox.next(), self._loop)
        try:
            return waiting.result(PATIENCE)
        except TimeoutError:
            waiting.cancel()
            raise UnreadablePostError(f"The sender sent nothing for {PATIENCE:.0f} s.") from None


class StreamingHandler(ASGIHandler):
    """Django's ASGI handler, with large bodies streamed."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().handle(scope, Inbox(receive, large=_is_large(scope)), send)

    async def read_body(self, receive: Any) -> Any:
        """The body as a file: at once when small, on demand when large."""
        if receive.large:
            return io.BufferedReader(Body(receive), READ)
        return await super().read_body(receive)

    async def listen_for_disconnect(self, receive: Any) -> None:
        """As Django's, but only when the body has been read: until then its reader notices."""
        if receive.large:
            await receive.ended.wait()
        await super().listen_for_disconnect(receive)


def _is_large(scope: Scope) -> bool:
    """Whether the declared length is large; a body that declares none counts as large."""
    headers = {name.lower(): value for name, value in scope["headers"]}
    if b"transfer-encoding" in headers:
        return True
    length = headers.get(b"content-length", b"0")
    return not length.isdigit() or int(length) > SMALL


def application() -> StreamingHandler:
    """Django as an ASGI application. Call it instead of `get_asgi_application`."""
    import django

    django.setup(set_prefix=False)
    return StreamingHandler()
