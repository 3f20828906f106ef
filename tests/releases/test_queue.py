"""The queue as people see it: place, what is in front, when it should start."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from phases import actions as places
from releases import queries
from releases.engine import lease, sweep
from releases.models import Heartbeat, Promotion
from releases.queries.ahead import Going
from releases.queries.queue import starts_in
from releases.queries.turns import Turn
from tests import factories


def line(*environments):
    return [Turn(number, environment, environment) for number, environment in enumerate(environments, 1)]


@pytest.mark.parametrize(
    ("environments", "going", "left", "usual", "slots", "expected"),
    [
        ((1,), [], {}, {}, 2, 0.0),
        ((1,), [], {}, {}, 0, None),
        ((1, 1), [], {}, {1: 30.0}, 2, 30.0),
        ((1, 1), [], {}, {1: None}, 2, None),
        ((1, 2, 3), [], {}, {1: 30.0, 2: 10.0}, 1, 40.0),
        ((1, 2, 3), [], {}, {1: 30.0, 2: 10.0}, 2, 10.0),
        ((1, 2, 3), [], {}, {1: 30.0, 2: 10.0}, 3, 0.0),
        ((1,), [(9, 1, True)], {9: 12.0}, {}, 2, 12.0),
        ((1,), [(9, 2, True)], {9: 12.0}, {}, 1, 12.0),
        ((1,), [(9, 2, False)], {9: 12.0}, {}, 1, 0.0),
        ((1,), [(9, 1, False)], {9: float("inf")}, {}, 1, None),
        # The one behind a busy environment keeps no worker from the one after it.
        ((1, 2), [(9, 1, True)], {9: 60.0}, {1: 5.0}, 2, 0.0),
    ],
)
def test_the_estimate(environments, going, left, usual, slots, expected):
    running = [Going(pk, environment, None, working) for pk, environment, working in going]
    assert starts_in(line(*environments), running, left, usual, slots) == expected


def durations(environment, seconds):
    """As if everything that succeeded here had taken so long."""
    done = Promotion.objects.filter(environment=environment, status="succeeded")
    done.update(started_at=F("finished_at") - timedelta(seconds=seconds))


@pytest.fixture
def busy(shop):
    """Three have succeeded in Dev in ten minutes each; one runs since 200 s, two wait behind it."""
    places.set_phase(shop.phase("dev"), actor=shop.actor("admin"), in_order=True)
    for number in range(3):
        shop.bring(shop.release(f"1.{number}.0"), "dev")
    durations(shop.environments["dev"], 600)
    asked = [shop.ask(shop.release(f"2.{number}.0"), "dev") for number in range(3)]
    assert lease.claim(asked[0].pk) is not None
    Promotion.objects.filter(pk=asked[0].pk).update(started_at=Now() - timedelta(seconds=200))
    sweep.beat("worker", 2)
    return asked


def shown(shop, promotion, role="developer"):
    promotion.refresh_from_db()
    found = queries.queue_of(shop.actor(role), promotion)
    assert found is not None
    return found


def test_place_what_is_in_front_and_the_estimate(shop, busy):
    one, two = shown(shop, busy[1]), shown(shop, busy[2])
    assert (one.position, two.position, two.length) == (1, 2, 2)
    assert [ahead.text for ahead in two.in_front] == ["Shop 2.0.0 to Dev", "Shop 2.1.0 to Dev"]
    assert [ahead.status for ahead in two.in_front] == ["running", "queued"]
    assert one.estimate is not None and 300 < one.estimate <= 400
    assert two.estimate is not None and 900 < two.estimate <= 1000
    assert "one promotion at a time runs in Dev. It should start in about" in one.text


def test_without_history_there_is_honestly_none(shop, busy):
    Promotion.objects.filter(status="succeeded").update(status="failed")
    found = shown(shop, busy[1])
    assert (found.estimate, "There is no estimate yet." in found.text) == (None, True)


def test_workers_that_are_busy_are_in_front_too(shop, busy):
    Heartbeat.objects.all().delete()
    other = factories.beside(shop, "other")
    asked = other.ask(other.release(), "dev")
    assert "No worker has been heard of lately" in shown(shop, asked).text
    sweep.beat("worker", 2)
    assert (shown(shop, asked).in_front, shown(shop, asked).text) == ([], "A worker takes it in a moment.")
    sweep.beat("worker", 1)
    found = shown(shop, asked)
    assert [ahead.text for ahead in found.in_front] == ["Shop 2.0.0 to Dev"]
    assert found.estimate is not None and 300 < found.estimate <= 400


def test_of_what_one_may_not_see_not_even_the_number_is_told(shop, busy):
    Promotion.objects.filter(pk=busy[0].pk).update(started_at=Now())
    stranger = factories.shop("team")
    asked = stranger.ask(stranger.release(), "dev")
    sweep.beat("worker", 1)
    found = queries.queue_of(stranger.actor("developer"), asked)
    assert found is not None
    assert [(one.text, one.promotion, one.version) for one in found.in_front] == [("what you may not see", None, None)]
    assert (found.position, found.length, found.more) == (1, 1, 0)
    assert "in front of it is what you may not see." in found.text
    whole = queries.queue_of(stranger.actor("admin"), asked)
    assert whole is not None and whole.length == 3 and all(one.promotion for one in whole.in_front)


def test_who_waits_for_a_gate_has_no_place_and_sees_what_it_comes_behind(shop, busy):
    places.lock(shop.environments["dev"], actor=shop.actor("devops"), reason="Audit")
    asked = shop.ask(shop.release("3.0.0"), "dev")
    found = shown(shop, asked)
    assert (asked.status, found.position, len(found.in_front), found.estimate) == ("waiting", None, 3, None)
    assert found.text.startswith("When its gates are open it comes behind Shop 2.0.0 to Dev")
    assert queries.queue_of(shop.actor("developer"), busy[0].environment.promotions.first()) is not None


def test_the_page_shows_it(shop, busy):
    from django.test import Client

    browser = Client()
    browser.force_login(shop.people["developer"])
    text = browser.get(f"/promotions/{busy[2].pk}/").content.decode()
    assert "Number 2 of 2 in the queue" in text
    assert text.index("What it waits for") < text.index("It stands behind") < text.index("Its gates are open")
    assert text.count("What it waits for") == 1
    assert f'href="/promotions/{busy[0].pk}/">Shop 2.0.0 to Dev</a>' in text
    assert "It should start in about" in text
    assert "Use the emergency lane" not in text
    manager = Client()
    manager.force_login(shop.people["release-manager"])
    assert "Use the emergency lane" in manager.get(f"/promotions/{busy[2].pk}/").content.decode()


def test_a_gate_that_closes_again_is_what_it_waits_for(shop, busy):
    from django.test import Client

    places.lock(shop.phase("dev"), actor=shop.actor("devops"), reason="Stocktaking")
    browser = Client()
    browser.force_login(shop.people["developer"])
    text = browser.get(f"/promotions/{busy[2].pk}/").content.decode()
    assert "Its gates are open" not in text
    assert "Number 2 of 2 in the queue</h2>" in text
    assert text.index("What it waits for") < text.index("locked all of Dev: Stocktaking")
