"""Practising the way back."""

from __future__ import annotations

import pytest

from phases import actions as places
from phases.models import Grant, Role
from releases import actions, storage
from releases.engine import ending, rehearsing, runner
from releases.models import Hold, Promotion, Rehearsal
from releases.queries.lookups import live_of
from releases.queries.way_back import way_back
from relman.audit.models import Event
from relman.errors import Conflict, Forbidden, Refused
from tests.factories import run
from tests.releases.test_engine import remake


@pytest.fixture
def two(shop):
    """1.0.0 and then 1.1.0 reached QA."""
    releases = shop.release("1.0.0"), shop.release("1.1.0")
    for release in releases:
        shop.bring(release, "dev", "qa")
    return releases


def rehearse(shop, who="qa-engineer", phase="qa"):
    return actions.rehearse(shop.environments[phase], actor=shop.actor(who))


def finish(rehearsal):
    """Both promotions, to their ends."""
    run(rehearsal.back)
    rehearsal.refresh_from_db()
    if rehearsal.forth:
        run(rehearsal.forth)
    rehearsal.refresh_from_db()
    return rehearsal


def test_back_and_forward_again_as_it_ran(shop, two):
    places.set_configuration(shop.environments["qa"], {"COLOUR": "red"}, actor=shop.actor("devops"))
    done = finish(rehearse(shop))
    assert (done.state, done.back.kind, done.forth.kind) == ("passed", "rollback", "deploy")
    assert "Back to 1.0.0 in" in done.reason
    live = live_of(shop.environments["qa"])
    assert live is not None and live.release_id == two[1].pk
    assert "COLOUR" not in live.snapshot
    assert done.forth.requested_by == shop.people["qa-engineer"]
    assert not Hold.objects.exists()
    assert Event.objects.filter(verb="rehearsal.passed").count() == 1


def test_the_way_back_tells_of_the_newest_rehearsal_in_the_phases_before(shop, two):
    for release in two:
        shop.bring(release, "stage", "live")
    assert way_back(shop.environments["live"]).rehearsal is None
    finish(rehearse(shop))
    back = way_back(shop.environments["live"])
    assert back.rehearsal is not None
    assert (back.rehearsal.pair, back.rehearsal.state, back.rehearsal.phase.slug) == (True, "passed", "qa")
    assert way_back(shop.environments["dev"]).rehearsal is None
    coming = way_back(shop.environments["live"], shop.release("1.2.0"))
    assert coming.rehearsal is not None and not coming.rehearsal.pair


def test_who_may_roll_back_and_promote_there(shop, two):
    for who in ("developer", "stakeholder", "devops"):
        with pytest.raises(Forbidden):
            rehearse(shop, who)


def test_not_in_the_last_phase_and_not_where_the_way_back_is_not_ready(shop, two):
    with pytest.raises(Conflict, match="last phase"):
        rehearse(shop, "release-manager", "live")
    with pytest.raises(Conflict, match="Nothing runs"):
        rehearse(shop, "release-manager", "stage")
    artifact = two[0].artifacts.get()
    path = storage.path_of(artifact.digest)
    kept = path.rename(path.with_suffix(".away"))
    with pytest.raises(Conflict, match="missing"):
        rehearse(shop)
    kept.rename(path)
    assert rehearse(shop).state == "back"


def test_one_at_a_time_and_nothing_else_meanwhile(shop, two):
    rehearse(shop)
    with pytest.raises(Conflict, match="is queued"):
        rehearse(shop)
    assert Rehearsal.objects.count() == 1


def test_a_lock_refuses_it(shop, two):
    places.lock(shop.environments["qa"], actor=shop.actor("devops"), reason="Demo")
    with pytest.raises(Refused, match="Demo"):
        rehearse(shop)
    assert not Rehearsal.objects.exists()
    assert not Promotion.objects.filter(kind="rollback").exists()


def test_a_way_back_that_fails_is_its_result(shop, two):
    asked = rehearse(shop)
    remake(shop, "qa", steps=[{"do": "fail", "reason": "No disk."}])
    done = finish(asked)
    assert (done.state, done.forth) == ("failed", None)
    assert "The way back failed" in done.reason and "No disk." in done.reason
    back = way_back(shop.environments["qa"])
    assert back.rehearsal is not None and back.rehearsal.state == "failed"


def test_a_way_forward_that_fails_is_said(shop, two):
    asked = rehearse(shop)
    run(asked.back)
    asked.refresh_from_db()
    remake(shop, "qa", steps=[{"do": "fail"}])
    done = finish(asked)
    assert done.state == "failed" and "The way forward failed" in done.reason


def test_what_people_ask_for_meanwhile_goes_first(shop, two):
    places.set_phase(shop.phase("qa"), actor=shop.actor("devops"), in_order=True)
    newer = shop.release("1.2.0")
    shop.bring(newer, "dev")
    asked = rehearse(shop)
    shop.ask(newer, "qa")
    done = finish(asked)
    assert (done.state, done.forth) == ("stopped", None)
    assert "1.2.0 was asked for meanwhile" in done.reason


def test_a_cancelled_rehearsal_stops_with_the_next_safety_round(shop, two):
    asked = rehearse(shop)
    actions.cancel(asked.back, actor=shop.actor("qa-engineer"))
    rehearsing.all_open()
    asked.refresh_from_db()
    assert asked.state == "stopped" and "cancelled" in asked.reason


def test_a_worker_that_dies_at_the_end_asks_for_the_way_forward_once(shop, two, monkeypatch):
    asked = rehearse(shop)

    class Killed(BaseException):
        pass

    def die(*_, **__):
        raise Killed

    monkeypatch.setattr(ending, "ring_next", die)
    monkeypatch.setattr(rehearsing, "_tell", die)
    with pytest.raises(Killed):
        runner.tick(asked.back_id)
    monkeypatch.undo()
    asked.refresh_from_db()
    assert (asked.state, asked.forth) == ("back", None)
    Promotion.objects.filter(pk=asked.back_id).update(lease_until=None)
    done = finish(asked)
    rehearsing.all_open()
    assert done.state == "passed"
    assert Promotion.objects.filter(comment__startswith="Rehearsal of a rollback: forward").count() == 1


def test_nobody_goes_forward_in_the_name_of_who_may_not_any_more(shop, two):
    asked = rehearse(shop)
    grants = Grant.objects.filter(user=shop.people["qa-engineer"], phase=shop.phase("qa"))
    places.revoke(grants.get(), actor=shop.actor("devops"))
    done = finish(asked)
    assert (done.state, done.forth) == ("stopped", None)
    assert done.reason.startswith("The way back worked. Shop Qa Engineer may not go forward in QA any more")
    assert done.reason.endswith("1.1.0 is not brought again. Who may: Developer, QA engineer, Release manager.")


def test_the_way_forward_asks_for_no_approval_of_what_ran_a_moment_ago(shop, two):
    for release in two:
        shop.bring(release, "stage")
    role = Role.objects.get(slug="qa-engineer")
    rule = places.set_rule(shop.phase("stage"), actor=shop.actor("devops"), name="quality", role=role)
    done = finish(rehearse(shop, "release-manager", "stage"))
    assert (done.state, done.forth.status, done.forth.rules) == ("passed", "succeeded", [])
    again = shop.ask(shop.release("1.1.0"), "stage")  # anybody else's wish for the same release is asked about
    assert [one["name"] for one in again.rules] == [rule.name]


def test_of_a_hotfix_below_what_ran_before(shop, two):
    hotfix = shop.release("1.0.1")
    for phase, who in (("dev", "release-manager"), ("qa", "release-manager")):
        run(actions.request_promotion(hotfix, shop.environments[phase], actor=shop.actor(who), comment="Hotfix",
                                      allow_lower=True))  # fmt: skip
    done = finish(rehearse(shop))
    assert (done.state, done.to.version, done.leaves.version) == ("passed", "1.1.0", "1.0.1")
