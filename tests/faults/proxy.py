"""A proxy in front of the broker that can cut connections, or swallow them: accepted, and nothing answered."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any


class Proxy:
    """Listens on one socket and speaks to another, from a thread of its own."""

    def __init__(self, behind: Path, socket: Path) -> None:
        self.behind, self.socket = behind, socket
        self._hole = False
        self._pipes: set[asyncio.Task[None]] = set()
        self._swallowed: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_unix_server(self._accept, str(socket)))

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}"

    def swallow(self) -> None:
        """From now on nothing is passed on. What is connected now hears nothing any more, after the hole's end too: so
        does a connection whose other end a firewall has forgotten."""
        self._call(self._begin)

    def answer(self) -> None:
        """The hole ends: whoever connects from now on is served."""
        self._call(self._end)

    def close(self) -> None:
        self._call(self._cut)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self.socket.unlink(missing_ok=True)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _call(self, work: Callable[[], None]) -> None:
        async def body() -> None:
            work()

        self._do(body())

    def _begin(self) -> None:
        self._hole = True
        for task in self._pipes:
            task.cancel()

    def _end(self) -> None:
        self._hole = False

    def _cut(self) -> None:
        self._server.close()
        for task in self._pipes:
            task.cancel()
        for writer in self._swallowed:
            writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._swallowed.add(writer)  # held open: closing would be an answer
        if self._hole:
            return
        try:
            behind = await asyncio.open_unix_connection(str(self.behind))
        except OSError:
            writer.close()
            return
        self._swallowed.add(behind[1])
        for one, other in ((reader, behind[1]), (behind[0], writer)):
            task = asyncio.ensure_future(_pass_on(one, other))
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes from one end to the other, until one of them ends; cancelled, it leaves both open and silent."""
    with contextlib.suppress(OSError):
        while block := await reader.read(65536):
            writer.write(block)
            await writer.drain()
    writer.close()
