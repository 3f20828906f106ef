"""Live topics: `publish_on_commit(topic)` says that something changed, `stream(topics)` tells browsers.

An event carries the topic and a revision, never content: the browser then fetches the
fragment through the ordinary, permission-checked view.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncIterator, Iterable
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
LONGEST_QUEUE = 256

_client: redis.Redis | None = None


def publish_on_commit(*topics: str) -> None:
    """After commit, tell everybody who watches one of these topics. Never fails, never waits."""
    transaction.on_commit(lambda: later(lambda: _publish(topics)), robust=True)


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

    def join(self, topics: Iterable[str]) -> asyncio.Queue[str]:
        watcher: asyncio.Queue[str] = asyncio.Queue(LONGEST_QUEUE)
        self.watchers[watcher] = frozenset(topics)
        if self.listener is None or self.listener.done():
            self.listener = asyncio.create_task(self.listen())
        return watcher

    def leave(self, watcher: asyncio.Queue[str]) -> None:
        self.watchers.pop(watcher, None)

    async def listen(self) -> None:
        """Follow the broker's channel for as long as anybody watches; connect again when it is lost."""
        while self.watchers:
            try:
                await self.follow()
            except (OSError, redis.RedisError) as error:
                log.info("The live channel is lost, trying again: %s", error)
                await asyncio.sleep(1)

    async def follow(self) -> None:
        client = _connect(redis.asyncio.Redis)
        async with client, client.pubsub() as channel:
            await channel.subscribe(CHANNEL)
            self.tell(["*"])
            while self.watchers:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=HEARTBEAT)
                if message:
                    self.tell(json.loads(message["data"]))

    def tell(self, topics: list[str]) -> None:
        """Hand each watcher what concerns it; `*` is for everybody. A full queue is told to reload everything."""
        for watcher, wanted in list(self.watchers.items()):
            for topic in topics:
                if topic == "*" or topic in wanted:
                    if watcher.full():
                        watcher.get_nowait()
                        topic = "*"
                    watcher.put_nowait(topic)


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def stream(topics: Iterable[str]) -> StreamingHttpResponse:
    """A server-sent event stream of these topics. The caller has checked who may watch them."""
    response = StreamingHttpResponse(_events(frozenset(topics)), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def _events(topics: frozenset[str]) -> AsyncIterator[str]:
    hub = _hubs.setdefault(asyncio.get_running_loop(), Hub())
    watcher = hub.join(topics)
    try:
        yield "retry: 2000\n\n"
        while True:
            try:
                topic = await asyncio.wait_for(watcher.get(), HEARTBEAT)
            except TimeoutError:
                yield "event: beat\ndata: 1\n\n"
                continue
            revision = next(hub.revision)
            yield f"id: {revision}\ndata: {json.dumps({'topic': topic, 'revision': revision})}\n\n"
    finally:
        hub.leave(watcher)
