"""The event stream: topics of what one may see, and nothing else."""

import json
import time
import urllib.request

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from phases.models import User
from releases.views.live import may_watch
from relman import live
from relman.actors import Actor
from tests import factories
from tests.web import database_url, web


@pytest.fixture
def topics(world):
    live_in = world.shop.environments["live"]
    return {
        "application": "application:shop",
        "board": "board:shop",
        "promotion": f"promotion:{world.promotions['waiting'].pk}",
        "log": f"log:{world.promotions['live'].pk}",
        "environment": f"environment:{live_in.pk}",
        "phase": f"phase:{live_in.phase_id}",
    }


def test_a_member_watches_what_is_theirs(world, topics):
    actor = world.shop.actor("stakeholder")
    assert all(may_watch(actor, topic) for topic in topics.values())
    assert may_watch(actor, "approvals")


def test_an_outsider_and_another_team_watch_none_of_it(world, topics):
    for actor in (Actor(world.outsider, "page"), world.other.actor("release-manager")):
        assert not any(may_watch(actor, topic) for topic in topics.values())
        assert may_watch(actor, "approvals")


def test_a_member_who_does_not_see_a_phase_does_not_watch_it(world):
    actor = world.shop.actor("stakeholder")
    dev = world.shop.environments["dev"]
    assert not may_watch(actor, f"environment:{dev.pk}")
    assert not may_watch(actor, f"phase:{dev.phase_id}")


@pytest.mark.parametrize("topic", ["", "*", "board:", "promotion:x", "promotion:-1", "promotion:99999999999999999999",
                                   "secrets:1", "application", "environment:²"])  # fmt: skip
def test_an_odd_topic_is_not_watched(world, topic):
    assert not may_watch(world.shop.actor("admin"), topic)


def test_a_stranger_is_told_to_sign_in(db):
    assert Client().get("/events/?topics=approvals").status_code == 401


def test_a_real_stream_carries_only_what_one_may_see(transactional_db, tmp_path):
    mine, other = factories.shop("mine"), factories.shop("other")
    browser = Client()
    browser.force_login(User.objects.get(pk=mine.people["stakeholder"].pk))
    cookie = browser.cookies[settings.SESSION_COOKIE_NAME].value
    variables = {"DATABASE_URL": database_url(connection.settings_dict), "RELMAN_DATABASE_POOL": "2"}
    with web(variables, tmp_path / "web.log") as server:
        wanted = "application:mine,application:other,approvals"
        streams = [stream(server.port, cookie, wanted) for _ in range(4)]
        heard: list[str] = []
        end = time.monotonic() + 90
        while "application:mine" not in heard and time.monotonic() < end:
            live._publish(("application:other", "application:mine"))
            heard = [topic for topic in heard_on(streams[3], 2) if topic]
        assert "application:mine" in heard
        assert "application:other" not in heard
        assert page(server.port, cookie) == 200, "Open streams keep no connection of the pool."
        for one in streams:
            one.close()
    assert other.application.slug == "other"


def stream(port, cookie, topics):
    return urllib.request.urlopen(asked(port, cookie, f"/events/?topics={topics}"), timeout=60)


def page(port, cookie):
    with urllib.request.urlopen(asked(port, cookie, "/help/"), timeout=60) as answer:
        return answer.status


def asked(port, cookie, path):
    name = f"relman_session_{port}"
    return urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Cookie": f"{name}={cookie}"})


def heard_on(one, count):
    """The topics of the next events."""
    found: list[str] = []
    while len(found) < count:
        line = one.readline().decode()
        if line.startswith("data: {"):
            found.append(json.loads(line.removeprefix("data: "))["topic"])
        elif line.startswith("event: beat"):
            break
    return found
