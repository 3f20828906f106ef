"""The hub: who watches hears what moved, also between the drawing of a page and the opening of its stream."""

import asyncio
import json
import time

import pytest

from relman import live
from relman.background import flush


def heard(watcher):
    return [watcher.get_nowait() for _ in range(watcher.qsize())]


@pytest.fixture
def hub(monkeypatch):
    """A hub that follows since ten seconds; nothing really listens."""
    made = live.Hub()
    made.complete_since = time.time() - 10

    class Listening:
        def done(self):
            return False

    monkeypatch.setattr(made, "listener", Listening())
    return made


def test_a_page_hears_what_moved_while_it_was_drawn(hub):
    drawn = time.time()
    hub.remember(["board:shop", "application:shop", "application:other"])
    assert heard(hub.join(["application:shop", "board:shop"], drawn)) == ["board:shop", "application:shop"]


def test_a_page_hears_nothing_old_and_nothing_twice(hub):
    hub.recent.append((time.time() - 9, "board:shop"))
    hub.remember(["application:shop", "application:shop"])
    assert heard(hub.join(["application:shop", "board:shop"], time.time())) == ["application:shop"]
    assert heard(hub.join(["application:shop"])) == []


def test_whoever_was_drawn_before_the_memory_begins_reloads_everything(hub):
    assert heard(hub.join(["board:shop"], time.time() - 60)) == ["*"]
    hub.remember(f"application:{number}" for number in range(live.REMEMBERED + 1))
    late = hub.recent[-1][0]
    hub.complete_since = late + live.SKEW
    assert heard(hub.join(["application:1"], late)) == ["*"]


def test_what_falls_out_of_memory_moves_its_beginning(hub):
    begun = hub.complete_since
    hub.remember(["one"])
    assert hub.complete_since == begun
    hub.remember(["more"] * live.REMEMBERED)
    assert hub.complete_since > begun


def test_a_watcher_who_does_not_read_is_told_to_reload(hub):
    slow = hub.join(["board:shop"])
    for _ in range(live.LONGEST_QUEUE + 5):
        hub.tell(["board:shop"])
    assert "*" in heard(slow)


def test_the_channel_is_followed_when_nobody_watches_and_tells_the_next_page():
    """On the real broker: the second page is drawn while nobody watches, something moves, then its stream begins."""

    async def story():
        hub = live.Hub()
        first = hub.join(["board:shop"])
        assert await asyncio.wait_for(first.get(), 60) == "*"
        hub.leave(first)
        hub.complete_since -= live.SKEW + 1  # as if it had been connected for a while
        drawn = time.time()
        await asyncio.to_thread(live._publish, ("board:shop",))
        while not hub.recent:
            await asyncio.sleep(0.01)
        told = heard(hub.join(["board:shop"], drawn))
        assert hub.listener is not None
        hub.listener.cancel()
        return told

    assert asyncio.run(story()) == ["board:shop"]


def test_a_stream_ends_so_that_who_may_watch_is_asked_again(hub, monkeypatch):
    monkeypatch.setattr(live, "hub", lambda: hub)
    monkeypatch.setattr(live, "HEARTBEAT", 0.01)
    monkeypatch.setattr(live, "LONGEST", 0.1)

    async def watch():
        return [part async for part in live._events(frozenset({"board:shop"}), None)]

    told = asyncio.run(asyncio.wait_for(watch(), 60))
    assert told[0] == "retry: 2000\n\n"
    assert set(told[1:]) == {"event: beat\ndata: 1\n\n"}
    assert not hub.watchers


def test_a_topic_is_told_after_the_commit_only(django_capture_on_commit_callbacks, db, monkeypatch):
    told: list[tuple[str, ...]] = []
    monkeypatch.setattr(live, "_publish", told.append)
    with django_capture_on_commit_callbacks(execute=True):
        live.publish_on_commit("board:shop")
        assert flush() and told == []
    assert flush()
    assert json.dumps(told) == '[["board:shop"]]'
