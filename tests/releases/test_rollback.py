"""The way back."""

from __future__ import annotations

import pytest
from django.test import Client

from phases import actions as places
from releases import actions, storage
from releases.queries.dialogs import rollback_dialog
from releases.queries.lookups import live_of
from releases.queries.way_back import way_back
from relman.errors import Conflict, Forbidden, Invalid
from tests.factories import SCRIPT, run


@pytest.fixture
def two(shop):
    """1.0.0 and then 1.1.0 reached Live."""
    releases = shop.release("1.0.0"), shop.release("1.1.0")
    for release in releases:
        shop.bring(release, "dev", "qa", "stage", "live")
    return releases


def test_one_click_and_one_reason_return_to_the_last_good_version(shop, two):
    promotion = actions.roll_back(shop.environments["live"], actor=shop.actor("release-manager"), reason="Errors")
    assert (promotion.kind, promotion.release_id, promotion.status) == ("rollback", two[0].pk, "queued")
    run(promotion)
    live = live_of(shop.environments["live"])
    assert live is not None and live.release_id == two[0].pk


def test_it_needs_a_reason_the_right_and_a_release_that_ran_here(shop, two):
    live = shop.environments["live"]
    with pytest.raises(Invalid):
        actions.roll_back(live, actor=shop.actor("release-manager"), reason="")
    with pytest.raises(Forbidden):
        actions.roll_back(live, actor=shop.actor("developer"), reason="x")
    with pytest.raises(Conflict):
        actions.roll_back(live, actor=shop.actor("devops"), reason="x", release=shop.release("1.2.0"))


def test_the_configuration_of_then_comes_back_with_it(shop, two):
    places.set_configuration(shop.environments["live"], {"COLOUR": "red"}, actor=shop.actor("devops"))
    live, devops = shop.environments["live"], shop.actor("devops")
    then = actions.roll_back(live, actor=devops, reason="Errors", configuration="then")
    assert "COLOUR" not in then.snapshot
    assert run(then).status == "succeeded"
    today = actions.roll_back(live, actor=shop.actor("devops"), reason="Back", release=two[1], configuration="today")
    assert "COLOUR" in today.snapshot


def test_without_an_earlier_success_there_is_no_way_back(shop):
    with pytest.raises(Conflict, match="no way back"):
        actions.roll_back(shop.environments["dev"], actor=shop.actor("developer"), reason="x")


def test_the_way_back_says_whether_it_works(shop, two):
    live = shop.environments["live"]
    assert way_back(live).release == two[0]
    assert way_back(live).ready
    coming = shop.release("1.2.0", manifest={"migrate": {"command": "true"}})
    assert "not marked reversible" in way_back(live, coming).sentence
    artifact = two[0].artifacts.get()
    kept = storage.path_of(artifact.digest).rename(storage.path_of(artifact.digest).with_suffix(".away"))
    assert "missing" in way_back(live).sentence
    kept.rename(storage.path_of(artifact.digest))
    assert way_back(live).ready


def test_the_first_release_has_no_way_back(shop):
    assert way_back(shop.environments["dev"]).release is None


def test_what_is_live_with_todays_configuration_is_no_way_around_the_approvals(shop):
    release, live = shop.release("1.0.0"), shop.environments["live"]
    shop.bring(release, "dev", "qa", "stage", "live")
    places.set_configuration(live, {"COLOUR": "red"}, actor=shop.actor("devops"))
    asked = actions.roll_back(
        live, actor=shop.actor("devops"), reason="Red, please", release=release, configuration="today"
    )
    assert (asked.kind, asked.status) == ("redeploy", "waiting")
    assert {rule["name"] for rule in asked.rules} == {"business", "quality"}


def test_the_dialog_says_why_there_is_no_way_back(shop):
    shop.bring(shop.release("1.0.0"), "dev")
    browser = Client()
    browser.force_login(shop.people["developer"])
    text = browser.get("/apps/shop/dev/rollback/").content.decode()
    assert "No other release has succeeded in Dev yet, so there is no way back." in text
    assert "It cannot be rolled back now." in text and "As it ran then" not in text


def test_values_that_nobody_approved_are_shown_before_they_come_with_a_rollback(shop, two):
    live, manager = shop.environments["live"], shop.actor("release-manager")
    assert rollback_dialog(manager, live).offer.unapproved == []
    places.set_configuration(live, {"COLOUR": "red"}, actor=shop.actor("devops"))
    assert [one.key for one in rollback_dialog(manager, live).offer.unapproved] == ["COLOUR"]
    places.set_configuration(shop.environments["dev"], {"COLOUR": "red"}, actor=shop.actor("devops"))
    assert rollback_dialog(shop.actor("developer"), shop.environments["dev"]).offer.unapproved == []  # nobody is asked
    browser = Client()
    browser.force_login(manager.user)
    text = browser.get("/apps/shop/live/rollback/").content.decode()
    assert "Nobody has approved 1 value of today’s configuration." in text and "<code>COLOUR</code>" in text
    said = browser.get("/api/v1/environments/shop/live/rollback/").json()["unapproved"]
    assert said == [{"key": "COLOUR", "live": None, "today": "red", "secret": False}]


def test_a_rollback_goes_on_without_approvals_when_the_target_changes_before_it_starts(shop, two):
    live = shop.environments["live"]
    back = actions.roll_back(live, actor=shop.actor("release-manager"), reason="Wrong totals")
    places.edit_environment(live, actor=shop.actor("devops"), settings={**SCRIPT, "steps": 3})
    assert run(back).status == "succeeded"
    assert (back.target["settings"]["steps"], back.rules) == (3, [])
