"""A rollback holds the release that it left, until a person lifts the hold."""

from __future__ import annotations

import pytest

from releases import actions
from releases.queries.holds import held
from releases.queries.way_back import way_back
from relman.audit.models import Event
from relman.errors import Conflict, Forbidden
from tests.factories import run


@pytest.fixture
def left(shop):
    """Dev was rolled back from 1.1.0 to 1.0.0."""
    for version in ("1.0.0", "1.1.0"):
        shop.bring(shop.release(version), "dev")
    run(actions.roll_back(shop.environments["dev"], actor=shop.actor("developer"), reason="Wrong totals"))
    return shop.application.releases.get(version="1.1.0")


def test_what_was_rolled_back_is_held_with_who_why_and_since(shop, left):
    hold = held(left, shop.phase("dev"))
    assert hold is not None
    assert (hold.by, hold.reason) == (shop.people["developer"], "Wrong totals")
    assert held(left, shop.phase("qa")) is None
    assert held(shop.application.releases.get(version="1.0.0"), shop.phase("dev")) is None
    assert Event.objects.filter(verb="release.held", version="1.1.0").count() == 1


def test_the_way_back_does_not_lead_to_what_was_left(shop, left):
    assert way_back(shop.environments["dev"]).release is None
    with pytest.raises(Conflict):
        actions.roll_back(shop.environments["dev"], actor=shop.actor("developer"), reason="x")


def test_people_may_promote_it_all_the_same_and_the_hold_stays(shop, left):
    assert shop.bring(left, "dev").status == "succeeded"
    assert held(left, shop.phase("dev")) is not None


def test_who_may_promote_there_lifts_it_once(shop, left):
    dev = shop.phase("dev")
    with pytest.raises(Forbidden):
        actions.lift_hold(left, phase=dev, actor=shop.actor("devops"))
    hold = actions.lift_hold(left, phase=dev, actor=shop.actor("developer"), comment="Totals are right")
    assert (hold.lifted_by, hold.lifted_reason) == (shop.people["developer"], "Totals are right")
    assert held(left, dev) is None
    with pytest.raises(Conflict):
        actions.lift_hold(left, phase=dev, actor=shop.actor("developer"))
    assert Event.objects.filter(verb="release.hold_lifted", outcome="refused").count() == 2


def test_a_rollback_that_never_began_holds_nothing_and_takes_no_hold_away(shop):
    for version in ("1.0.0", "1.1.0"):
        shop.bring(shop.release(version), "dev")
    left, dev, developer = shop.application.releases.get(version="1.1.0"), shop.phase("dev"), shop.actor("developer")
    asked = actions.roll_back(shop.environments["dev"], actor=developer, reason="Wrong totals")
    assert held(left, dev) is not None
    actions.cancel(asked, actor=developer)
    assert held(left, dev) is None
    run(actions.roll_back(shop.environments["dev"], actor=developer, reason="Now really"))
    shop.bring(left, "dev")
    again = actions.roll_back(shop.environments["dev"], actor=shop.actor("developer"), reason="Once more")
    actions.cancel(again, actor=developer)
    hold = held(left, dev)
    assert hold is not None and hold.reason == "Now really"
