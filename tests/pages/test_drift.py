"""Drift and health over time, as pages and the API show them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from phases import tokens
from phases.models import Environment, HealthChange
from releases import actions
from releases.models import Promotion
from releases.queries.health import health_strip, stretches
from relman.actors import Actor
from tests import factories
from tests.releases.test_reality import look, swap


@pytest.fixture
def drifted(transactional_db, monkeypatch):
    """1.0.0 is recorded in Dev, 1.1.0 runs there."""
    made = factories.shop()
    made.bring(made.release("1.0.0"), "dev")
    made.release("1.1.0")
    swap(made, "dev")
    return made


def browser(shop, role):
    client = Client()
    client.force_login(shop.actor(role).user)
    return client


def test_drift_stands_where_people_look(drifted):
    devops, stranger = browser(drifted, "devops"), browser(drifted, "stakeholder")
    board = devops.get("/board/").content.decode()
    assert "1.1.0 instead" in board
    assert "state=drift" in board
    assert "Adopt or revert" in board
    assert "1.1.0 instead" in devops.get("/board/?state=drift").content.decode()
    for state, rows in (("drift", 4), ("scheduled", 0)):
        exported = devops.get(f"/board/export/?state={state}").content.decode().splitlines()
        assert len(exported) == 1 + rows, state
    place = devops.get("/apps/shop/dev/").content.decode()
    assert "What runs is not what the record says" in place
    assert "Adopt 1.1.0" in place and "Revert to 1.0.0" in place
    assert "Drift" in devops.get("/apps/shop/").content.decode()
    business = browser(drifted, "business-owner").get("/apps/shop/dev/").content.decode()
    assert "can revert or adopt it" in business and "/apps/shop/dev/revert/" not in business
    assert "1.1.0 instead" not in stranger.get("/board/").content.decode()


def test_without_drift_the_board_has_no_filter_for_it(drifted):
    Environment.objects.update(drift={}, drift_since=None)
    page = browser(drifted, "devops").get("/board/").content.decode()
    assert "state=drift" not in page
    assert len(browser(drifted, "devops").get("/board/export/?state=drift").content.decode().splitlines()) == 1
    assert "No drift" in browser(drifted, "devops").get("/apps/shop/dev/").content.decode()


@pytest.mark.parametrize("verb,kind", [("revert", "redeploy"), ("adopt", "adopt")])
def test_a_person_ends_it_with_a_reason(drifted, verb, kind):
    client = browser(drifted, "devops")
    shown = client.get(f"/apps/shop/dev/{verb}/").content.decode()
    assert "1.1.0 answers there; the record says 1.0.0." in shown
    assert client.post(f"/apps/shop/dev/{verb}/", {"reason": ""}).status_code == 400
    assert client.post(f"/apps/shop/dev/{verb}/", {"reason": "Kept"}).status_code == 302
    assert Promotion.objects.latest("id").kind == kind


def test_what_cannot_be_adopted_says_why(drifted):
    drift = {**Environment.objects.get(pk=drifted.environments["dev"].pk).drift, "digest": "", "version": "6.6.6"}
    Environment.objects.filter(pk=drifted.environments["dev"].pk).update(drift=drift)
    client = browser(drifted, "devops")
    page = client.get("/apps/shop/dev/").content.decode()
    assert "Adopt 6.6.6" not in page and "no release that was ever published" in page
    dialog = client.get("/apps/shop/dev/adopt/").content.decode()
    assert "It cannot be adopted." in dialog and "<textarea" not in dialog


def test_the_api_tells_drift_and_ends_it(drifted):
    user = drifted.actor("devops").user
    _, raw = tokens.issue(user, actor=Actor(user, "page"), name="Drift")
    client = Client(headers={"authorization": f"Bearer {raw}"})
    place = "/api/v1/environments/shop/dev/"
    told = client.get(place).json()["drift"]
    assert (told["kind"], told["version"], told["adoptable"]) == ("version", "1.1.0", "1.1.0")
    assert told["digest"].startswith("sha256:")
    cell = client.get("/api/v1/board/").json()["results"][0]["phases"][0]
    assert cell["drift"]["text"] == told["text"]
    assert client.get(f"{place}health/").json()["results"][0]["health"] == "healthy"
    made = client.post(f"{place}adopt/", {"reason": "It stays"}, content_type="application/json")
    assert (made.status_code, made.json()["kind"]) == (201, "adopt")
    factories.run(Promotion.objects.get(pk=made.json()["id"]))
    assert client.get(place).json()["drift"] is None
    again = client.post(f"{place}revert/", {"reason": "x"}, content_type="application/json")
    assert (again.status_code, again.json()["code"]) == (409, "no_drift")


# --- health over time


def change(environment, minutes, before, after, detail=""):
    at = timezone.now() - timedelta(minutes=minutes)
    HealthChange.objects.create(environment=environment, at=at, before=before, health=after, detail=detail)


def test_the_strip_shows_the_worst_of_each_slot_and_tells_it(drifted):
    dev = drifted.environments["dev"]
    HealthChange.objects.all().delete()
    change(dev, 26 * 60, "unknown", "healthy")
    change(dev, 130, "healthy", "unhealthy", "It answered 500.")
    change(dev, 125, "unhealthy", "healthy")
    change(dev, 40, "healthy", "healthy", "An instance ended by itself.")
    day, week = health_strip(dev), health_strip(dev, "7d")
    assert (len(day.slots), len(week.slots)) == (48, 56)
    assert day.slots.count("w") in (2, 3)
    assert day.slots[0] == ""
    assert (week.slots[0], week.slots[-1]) == ("u", "w")
    assert day.troubles[0].startswith("Restarted")
    assert "It answered 500." in day.troubles[1]
    page = browser(drifted, "devops").get("/apps/shop/dev/?health=7d").content.decode()
    assert "Health, 7 days" in page and "Restarted" in page


def test_without_changes_it_was_as_it_is(drifted):
    HealthChange.objects.all().delete()
    dev = look(drifted, "dev")
    assert health_strip(dev).text == "Healthy for the last 24 h."
    assert set(health_strip(dev).slots) == {""}
    never = drifted.environments["qa"]
    assert health_strip(never).text == "Nothing is known yet."
    end = timezone.now()
    assert stretches([], "healthy", end - timedelta(hours=1), end)[0].state == "healthy"


def test_a_verified_promotion_is_in_the_history(drifted):
    Environment.objects.filter(pk=drifted.environments["dev"].pk).update(health="unhealthy", health_at=Now())
    factories.run(actions.revert(drifted.environments["dev"], actor=drifted.actor("devops"), reason="x"))
    assert "brought and verified" in HealthChange.objects.latest("id").detail
