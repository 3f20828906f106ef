"""A change reaches everybody who watches: `python -m tests.bench.watchers [--watchers 500] [--changes 20]`.

So many event streams on one web process, while a verb (locking and unlocking an environment) changes something.
Printed: from the verb's call until the first, the median and the last watcher has read the topic, and what the web
process needs for it. Beside it, in the same run, the floor: a bare asyncio server that writes the same bytes to as
many sockets. Fails when the last watcher waits a second (p95 of the changes).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from relman.embedded.throwaway import enter, stack
from tests.bench.workers import FIVE, prepare
from tests.web import Web, web

if TYPE_CHECKING:
    from phases.models import Environment, Lock
    from tests.factories import Shop

AIM = 1.0
"""Seconds until the last one knows."""
PATIENCE = 60.0
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Measure; 1 when the last watcher waits too long."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--watchers", type=int, default=500)
    options.add_argument("--changes", type=int, default=20)
    wanted = options.parse_args()
    with stack() as variables:
        enter(variables)
        shop = prepare(FIVE)
        with web(dict(variables), Path(variables["RELMAN_HOME"]) / "log" / "web.log") as server:
            last = ours(shop, server, wanted.watchers, wanted.changes)
    floor(wanted.watchers, wanted.changes)
    return int(sorted(last)[int(len(last) * 0.95)] >= AIM)


# --- many sockets, read by one thread


@dataclass
class Crowd:
    """Open streams, and when each of them last read the word it waits for."""

    sockets: list[socket.socket]
    word: bytes = b""
    times: list[float] = field(default_factory=list)
    rests: dict[int, bytes] = field(default_factory=dict)

    def gather(self, word: bytes, change: Callable[[], object]) -> list[float]:
        """Make the change; seconds until each watcher has read the word, ascending."""
        waiting = selectors.DefaultSelector()
        for one in self.sockets:
            waiting.register(one, selectors.EVENT_READ)
        began = time.perf_counter()
        maker = threading.Thread(target=change)
        maker.start()
        found: list[float] = []
        while len(found) < len(self.sockets):
            if time.perf_counter() - began > PATIENCE:
                raise SystemExit(f"Only {len(found)} of {len(self.sockets)} watchers heard of it.")
            for key, _ in waiting.select(1):
                if self._has_read(key.fileobj, word):
                    found.append(time.perf_counter() - began)
                    waiting.unregister(key.fileobj)
        maker.join()
        waiting.close()
        return found

    def _has_read(self, one: object, word: bytes) -> bool:
        assert isinstance(one, socket.socket)
        read = one.recv(65536)
        if not read:
            raise SystemExit("A stream was closed.")
        text = self.rests.get(one.fileno(), b"") + read
        self.rests[one.fileno()] = text[-len(word) :]
        if word in text:
            self.rests[one.fileno()] = b""
            return True
        return False

    def close(self) -> None:
        for one in self.sockets:
            one.close()


def connect(port: int, count: int, head: bytes, greeting: bytes) -> Crowd:
    """So many sockets that have sent the head and have read the greeting."""
    sockets = []
    for _ in range(count):
        one = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        one.sendall(head)
        read = b""
        while greeting not in read:
            part = one.recv(65536)
            if not part:
                raise SystemExit(f"A stream was refused: {read!r}")
            read += part
        sockets.append(one)
    return Crowd(sockets)


# --- RelMan


def ours(shop: Shop, server: Web, watchers: int, changes: int) -> list[float]:
    """The last watcher's wait of each change; prints what it costs."""
    from phases import actions

    place = shop.environments["live"]
    empty, idle = server.memory(), busy(server)
    crowd = connect(server.port, watchers, head_of(shop, server, place), b"retry: 2000")
    opened = busy(server) - idle
    held = server.memory()
    word = f"environment:{place.pk}".encode()
    actor = shop.actor("devops")
    locked: list[Lock] = []
    lock = in_thread(lambda: locked.append(actions.lock(place, actor=actor, reason="A measurement.")))
    unlock = in_thread(lambda: actions.unlock(locked[0], actor=actor))
    spent, waits = busy(server), []
    for _ in range(changes):
        locked.clear()
        waits.append(crowd.gather(word, lock))
        waits.append(crowd.gather(word, unlock))
    spent = busy(server) - spent
    crowd.close()
    report(f"{watchers} watchers on one web process", waits)
    print(
        f"  memory {empty >> 20} MiB before, {held >> 20} MiB with {watchers} streams "
        f"({(held - empty) / watchers / 1024:.0f} KiB each); processor {opened:.1f} s to open them all, "
        f"{spent / len(waits) * 1000:.0f} ms for each change"
    )
    return [one[-1] for one in waits]


def in_thread(verb: Callable[[], object]) -> Callable[[], None]:
    """The verb, with a connection of its own that is given back."""

    def run() -> None:
        from django.db import connection

        try:
            verb()
        finally:
            connection.close()

    return run


def head_of(shop: Shop, server: Web, place: Environment) -> bytes:
    """The request for the stream, as a signed-in browser sends it."""
    from django.conf import settings
    from django.test import Client

    browser = Client()
    browser.force_login(shop.people["stakeholder"])
    cookie = browser.cookies[settings.SESSION_COOKIE_NAME].value
    path = f"/events/?topics=approvals,environment:{place.pk}"
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost:{server.port}\r\nCookie: relman_session_{server.port}={cookie}\r\n\r\n"
    ).encode()


def busy(server: Web) -> float:
    """Seconds of processor time that the web process has used."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


# --- the floor


@contextmanager
def bare() -> Iterator[tuple[int, Callable[[bytes], None]]]:
    """A server that does nothing but write what it is told to everybody who has connected: its port, and `tell`."""
    loop, writers, ready = asyncio.new_event_loop(), list[asyncio.StreamWriter](), threading.Event()
    port = 0

    async def joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"retry: 2000\n\n")
        writers.append(writer)

    async def begin() -> None:
        nonlocal port
        server = await asyncio.start_server(joined, "127.0.0.1", 0, backlog=1000)
        port = server.sockets[0].getsockname()[1]
        ready.set()

    def run() -> None:
        loop.create_task(begin())
        loop.run_forever()

    threading.Thread(target=run, daemon=True).start()
    ready.wait(PATIENCE)

    def tell(words: bytes) -> None:
        for writer in writers:
            loop.call_soon_threadsafe(writer.write, words)

    yield port, tell
    loop.call_soon_threadsafe(loop.stop)


def floor(watchers: int, changes: int) -> None:
    """The same bytes to as many sockets, without anything else."""
    with bare() as (port, tell):
        crowd = connect(port, watchers, b"GET / HTTP/1.1\r\n\r\n", b"retry: 2000")
        words = b'id: 1\ndata: {"topic": "environment:4", "revision": 1}\n\n'
        waits = [crowd.gather(b"environment:4", lambda: tell(words)) for _ in range(2 * changes)]
        crowd.close()
    report(f"floor: bare asyncio, {watchers} sockets", waits)


def report(title: str, waits: list[list[float]]) -> None:
    """Spread over the changes of how long the median watcher and the last one waited."""
    middle, last = sorted(one[len(one) // 2] for one in waits), sorted(one[-1] for one in waits)
    told = f"p50 {pick(last, 0.5)}, p95 {pick(last, 0.95)}, max {last[-1] * 1000:.0f} ms"
    print(f"{title}: {len(waits)} changes; the last one knows after {told}; the median one after {pick(middle, 0.5)}")


def pick(ranked: list[float], part: float) -> str:
    """One of ascending values, in milliseconds."""
    return f"{ranked[int(len(ranked) * part)] * 1000:.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
