"""Live topics: `publish_on_commit(topic)` says that something changed, `stream(topics)` tells browsers.

An event carries the topic and a revision, never content: the browser then fetches the
fragment through the ordinary, permission-checked view.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any

import redis
import redis.asyncio
from django.conf import settings
from django.db import transaction
from django.http import StreamingHttpResponse

from relman.background import later

log = logging.getLogger(__name__)
CHANNEL = "relman:live"
HEARTBEAT = 5.0
"""Seconds between beats on a silent stream: an event, for pages do not see comments. A page is stale after ten."""
LONGEST = 300.0
"""Seconds that one stream lives. The browser opens the next by itself, and who may watch is asked again."""
LONGEST_QUEUE = 256
REMEMBERED = 2000
"""Topics kept for pages that were drawn before their stream began."""
SKEW = 2.0
"""Seconds by which the clocks of two web processes may differ, and which a page may take to be drawn."""

_client: redis.Redis | None = None
_told: deque[str] = deque(maxlen=10_000)
"""Topics on their way out: what comes while the one before is being sent goes with the next, in one message."""


def publish_on_commit(*topics: str) -> None:
    """After commit, tell everybody who watches one of these topics. Never fails, never waits."""
    transaction.on_commit(lambda: _tell(topics), robust=True)


def _tell(topics: tuple[str, ...]) -> None:
    _told.extend(topics)
    later(_send)


def _send() -> None:
    """All that was told by now, each topic once."""
    topics: dict[str, None] = {}
    with suppress(IndexError):
        while True:
            topics[_told.popleft()] = None
    if topics:
        _publish(tuple(topics))


def _publish(topics: tuple[str, ...]) -> None:
    global _client
    if _client is None:
        _client = _connect(redis.Redis)
    _client.publish(CHANNEL, json.dumps(topics))


def _connect(kind: Any) -> Any:
    """A client of the broker's server; the URL may name a socket the way kombu writes it."""
    url = settings.BROKER_URL.replace("redis+socket://", "unix://").replace("virtual_host=", "db=")
    return kind.from_url(url, socket_connect_timeout=2, socket_timeout=None if kind is redis.asyncio.Redis else 2)


class Hub:
    """One subscription a process, fanned out in memory to its watchers."""

    def __init__(self) -> None:
        self.watchers: dict[asyncio.Queue[str], frozenset[str]] = {}
        self.listener: asyncio.Task[None] | None = None
        self.revision = itertools.count(1)
        self.recent: deque[tuple[float, str]] = deque(maxlen=REMEMBERED)
        self.complete_since = float("inf")
        """Everything that was told after this moment is in `recent`."""

    def start(self) -> None:
        """Follow the channel from now on, for as long as the loop runs."""
        if self.listener is None or self.listener.done():
            self.listener = asyncio.create_task(self.listen())

    def join(self, topics: Iterable[str], since: float | None = None) -> asyncio.Queue[str]:
        """A new watcher; `since`: when its page was drawn, it hears what it missed."""
        watcher: asyncio.Queue[str] = asyncio.Queue(LONGEST_QUEUE)
        self.watchers[watcher] = frozenset(topics)
        self.start()
        if since is not None and self.complete_since < float("inf"):  # else: it is told everything once connected
            self.catch_up(watcher, since - SKEW)
        return watcher

    def leave(self, watcher: asyncio.Queue[str]) -> None:
        """It is told nothing any more."""
        self.watchers.pop(watcher, None)

    def catch_up(self, watcher: asyncio.Queue[str], since: float) -> None:
        """What was told after that moment; when nobody knows: reload everything."""
        if since < self.complete_since:
            self.hand(watcher, "*")
            return
        for topic in dict.fromkeys(topic for at, topic in self.recent if at >= since):
            self.hand(watcher, topic)

    async def listen(self) -> None:
        """Follow the broker's channel; connect again when it is lost."""
        while True:
            try:
                await self.follow()
            except (OSError, redis.RedisError) as error:
                log.info("The live channel is lost, trying again: %s", error)
                await asyncio.sleep(1)
            finally:
                self.complete_since = float("inf")

    async def follow(self) -> None:
        """Tell the watchers what the channel says until it is lost: OSError or RedisError."""
        client = _connect(redis.asyncio.Redis)
        async with client, client.pubsub() as channel:
            await channel.subscribe(CHANNEL)
            self.recent.clear()
            self.complete_since = time.time()
            self.tell(["*"])
            while True:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=HEARTBEAT)
                if message:
                    self.remember(topics := json.loads(message["data"]))
                    self.tell(topics)

    def remember(self, topics: Iterable[str]) -> None:
        """Keep them for pages on their way; what falls out makes the memory begin later."""
        for topic in topics:
            if len(self.recent) == REMEMBERED:
                self.complete_since = max(self.complete_since, self.recent[0][0] + 0.001)
            self.recent.append((time.time(), topic))

    def tell(self, topics: Iterable[str]) -> None:
        """Hand each watcher what concerns it."""
        for watcher in list(self.watchers):
            for topic in topics:
                self.hand(watcher, topic)

    def hand(self, watcher: asyncio.Queue[str], topic: str) -> None:
        """One topic for one watcher; `*` is for everybody. A full queue is told to reload everything."""
        if topic == "*" or topic in self.watchers[watcher]:
            if watcher.full():
                watcher.get_nowait()
                topic = "*"
            watcher.put_nowait(topic)


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def hub() -> Hub:
    """The hub of the running loop."""
    return _hubs.setdefault(asyncio.get_running_loop(), Hub())


def stream(topics: Iterable[str], since: float | None = None) -> StreamingHttpResponse:
    """A server-sent event stream of these topics, from that moment (seconds since 1970) where it is given. The caller
    has checked who may watch them."""
    response = StreamingHttpResponse(_events(frozenset(topics), since), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _events(topics: frozenset[str], since: float | None) -> AsyncIterator[str]:
    ours = hub()
    watcher, end = ours.join(topics, since), time.monotonic() + LONGEST
    try:
        yield "retry: 2000\n\n"
        while time.monotonic() < end:
            try:
                topic = await asyncio.wait_for(watcher.get(), HEARTBEAT)
            except TimeoutError:
                yield "event: beat\ndata: 1\n\n"
                continue
            revision = next(ours.revision)
            yield f"id: {revision}\ndata: {json.dumps({'topic': topic, 'revision': revision})}\n\n"
    finally:
        ours.leave(watcher)
