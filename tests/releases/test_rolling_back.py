"""RelMan's own answer to a failed verification, where the phase asks for it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from phases import actions as places
from phases import gateway
from phases.drivers import scripted
from phases.models import Environment
from releases import actions
from releases.engine import ending, rolling_back, runner
from releases.models import Promotion
from releases.queries.lookups import live_of
from relman.audit.models import Event
from tests.factories import run
from tests.releases.test_engine import remake

MIGRATES = [{"do": "noop", "name": "Migrate", "lasting": True}, {"do": "noop"}]
PLAIN = [{"do": "noop"}]


@pytest.fixture
def migrating(shop):
    """Dev rolls back by itself; every release migrates there; 1.0.0 is live."""
    places.set_phase(shop.phase("dev"), actor=shop.actor("devops"), auto_rollback=True)
    remake(shop, "dev", steps=MIGRATES)
    shop.bring(shop.release("1.0.0"), "dev")
    return shop


def sick(shop, version="1.1.0", steps=MIGRATES):
    """A release that will not get healthy; what comes after it will."""
    remake(shop, "dev", steps=steps, health="exit")
    return shop.ask(shop.release(version), "dev")


def fail(shop, version="1.1.0", steps=MIGRATES):
    """A release that did not get healthy."""
    failed = run(sick(shop, version, steps))
    assert failed.status == "failed"
    remake(shop, "dev", steps=steps)
    return failed


def answers():
    return Promotion.objects.filter(rolls_back__isnull=False)


def test_a_failed_verification_after_a_migration_goes_back_by_itself_and_both_say_so(migrating):
    places.set_configuration(migrating.environments["dev"], {"COLOUR": "red"}, actor=migrating.actor("devops"))
    failed = fail(migrating)
    back = answers().get()
    assert (failed.status, back.status, back.kind, back.requested_by) == ("failed", "queued", "rollback", None)
    assert (back.rolls_back, back.release.version, back.snapshot_of) == (failed, "1.0.0", "then")
    assert "COLOUR" not in back.snapshot
    assert f"rolls it back to 1.0.0 by itself (promotion {back.pk})" in failed.reason
    assert f"1.1.0 failed its verification (promotion {failed.pk})" in back.comment
    assert run(back).status == "succeeded"
    assert Event.objects.filter(verb="promotion.answered", promotion_id=failed.pk).count() == 1


def test_off_by_default_and_only_when_something_lasting_was_done(shop):
    shop.bring(shop.release("1.0.0"), "dev")
    assert "roll" not in fail(shop, steps=PLAIN).reason
    places.set_phase(shop.phase("dev"), actor=shop.actor("devops"), auto_rollback=True)
    said = fail(shop, "1.2.0", PLAIN).reason
    assert "1.0.0 served all along and nothing lasting was done, so nothing is rolled back." in said
    assert not answers().exists()


def test_a_failure_before_the_verification_is_left_to_people(migrating):
    remake(migrating, "dev", steps=[{"do": "noop", "lasting": True}, {"do": "fail"}])
    assert run(migrating.ask(migrating.release("1.1.0"), "dev")).status == "failed"
    assert not answers().exists()


def test_never_of_a_rollback_and_never_twice(migrating):
    migrating.bring(migrating.release("1.1.0"), "dev")
    remake(migrating, "dev", steps=MIGRATES, health="exit")
    back = actions.roll_back(migrating.environments["dev"], actor=migrating.actor("developer"), reason="Slow")
    assert "answers none with another" in run(back).reason
    left = migrating.application.releases.get(version="1.1.0")
    actions.lift_hold(left, phase=migrating.phase("dev"), actor=migrating.actor("developer"))
    failed = run(sick(migrating, "1.2.0"))
    answer = run(answers().get())
    assert (answer.status, answer.rolls_back) == ("failed", failed)
    assert "answers none with another" in answer.reason
    assert answers().count() == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        Promotion.objects.filter(pk=back.pk).update(rolls_back=failed)


def test_the_first_release_has_nothing_to_go_back_to(shop):
    places.set_phase(shop.phase("dev"), actor=shop.actor("devops"), auto_rollback=True)
    assert "Nothing ran here before" in fail(shop, steps=PLAIN).reason


def test_it_never_goes_to_a_held_release(migrating):
    bad = migrating.release("1.1.0")
    migrating.bring(bad, "dev")
    dev, developer = migrating.environments["dev"], migrating.actor("developer")
    run(actions.roll_back(dev, actor=developer, reason="Wrong totals"))
    migrating.bring(bad, "dev")  # a person may
    failed = fail(migrating, "1.2.0")
    assert "1.1.0 is held here" in failed.reason
    assert not answers().exists()


def test_a_gate_that_refuses_is_said_and_the_end_stands(migrating):
    good = migrating.application.releases.get(version="1.0.0")
    asked = sick(migrating)
    actions.yank(good, actor=migrating.actor("devops"), reason="Leaks")
    failed = run(asked)
    assert failed.status == "failed"
    assert "could not roll it back to 1.0.0" in failed.reason
    assert not answers().exists()


def test_settings_that_no_plan_can_be_made_from_leave_the_end_as_it_is(migrating, monkeypatch):
    asked = sick(migrating)

    def build(*_, **__):
        raise ValueError("could not convert string to float: 'often'")

    with monkeypatch.context() as patch:
        patch.setattr(rolling_back, "place", build)
        failed = run(asked)
    assert failed.status == "failed"
    assert "could not roll it back to 1.0.0: could not convert" in failed.reason
    assert not answers().exists()


def test_what_people_asked_for_goes_first_and_ends_it(migrating):
    places.set_phase(migrating.phase("dev"), actor=migrating.actor("devops"), in_order=True)
    asked = sick(migrating)
    mended = migrating.ask(migrating.release("1.2.0"), "dev")
    run(asked)
    remake(migrating, "dev", steps=MIGRATES)
    back = answers().get()
    assert run(mended).status == "succeeded"
    run(back)
    assert (back.status, back.superseded_by) == ("superseded", mended)
    live = live_of(migrating.environments["dev"])
    assert live is not None and live.release.version == "1.2.0"


def test_a_worker_that_dies_at_the_end_leaves_both_or_neither(migrating, monkeypatch):
    """Killed between the failed step and the promotion's end, and in the middle of that end: once, all the same."""
    promotion = sick(migrating)

    class Killed(BaseException):
        pass

    def die(*_, **__):
        raise Killed

    for place, name in ((ending, "end"), (rolling_back, "record")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, die)
            with pytest.raises(Killed):
                runner.tick(promotion.pk)
        promotion.refresh_from_db()
        assert promotion.status == "verifying"
        assert not answers().exists()
        Promotion.objects.filter(pk=promotion.pk).update(lease_until=None)
    assert run(promotion).status == "failed"
    assert answers().count() == 1
    assert promotion.steps.get(kind="switch").attempts == 0


@pytest.fixture
def route(monkeypatch):
    """The gateway's route of one environment, and what is seen through it."""
    state: dict[str, Any] = {"upstreams": ["old:1"], "good": True}

    def switch(environment, upstreams, *, epoch=None):
        state["upstreams"] = list(upstreams)

    def check(route):
        return gateway.Observation(200 if state["good"] else 500, "It answered.", 1)

    monkeypatch.setattr(scripted, "SETTINGS", (*scripted.SETTINGS, "upstreams"))  # which nobody may save otherwise
    monkeypatch.setattr(gateway, "switch", switch)
    monkeypatch.setattr(gateway, "upstreams", lambda environment: list(state["upstreams"]))
    monkeypatch.setattr(gateway, "check", check)
    return state


def test_a_failure_seen_through_the_gateway_goes_back(shop, route):
    places.set_phase(shop.phase("dev"), actor=shop.actor("devops"), auto_rollback=True)
    remake(shop, "dev", steps=1, upstreams=["new:1"])
    shop.bring(shop.release("1.0.0"), "dev")
    route.update(upstreams=["old:1"], good=False)
    failed = run(shop.ask(shop.release("1.1.0"), "dev"))
    assert "Through the gateway" in failed.reason
    assert route["upstreams"] == ["old:1"]
    route["good"] = True
    back = run(answers().get())
    assert (back.status, back.release.version) == ("succeeded", "1.0.0")


def test_the_route_goes_back_although_the_worker_died_in_the_switch(shop, route, monkeypatch):
    remake(shop, "dev", steps=1, upstreams=["new:1"])
    shop.bring(shop.release("1.0.0"), "dev")
    route["upstreams"] = ["old:1"]
    promotion = shop.ask(shop.release("1.1.0"), "dev")
    seen = gateway.check

    class Killed(BaseException):
        pass

    def die(route):
        raise Killed

    monkeypatch.setattr(gateway, "check", die)
    with pytest.raises(Killed):
        runner.tick(promotion.pk)
    assert route["upstreams"] == ["new:1"]
    monkeypatch.setattr(gateway, "check", seen)
    route["good"] = False
    Promotion.objects.filter(pk=promotion.pk).update(lease_until=None)
    assert run(promotion).status == "failed"
    assert route["upstreams"] == ["old:1"]


def test_the_choice_is_made_on_the_phase_and_recorded(shop):
    assert Environment.objects.filter(phase__auto_rollback=True).count() == 0
    places.set_phase(shop.phase("live"), actor=shop.actor("devops"), auto_rollback=True)
    event = Event.objects.filter(verb="phase.edited").latest("pk")
    assert (event.before, event.after) == ({"auto_rollback": False}, {"auto_rollback": True})


def test_the_comment_of_a_way_back_quotes_no_secret(migrating):
    dev, devops = migrating.environments["dev"], migrating.actor("devops")
    places.set_configuration(dev, {"KEY": {"value": "tell-nobody-1", "secret": True}}, actor=devops)
    steps = [*MIGRATES, {"do": "fail", "when": "verify", "reason": "It printed tell-nobody-1 and died."}]
    failed = run(sick(migrating, steps=steps))
    back = answers().get()
    assert failed.status == "failed" and "It printed" in back.comment
    written = [back.comment, failed.reason, *Event.objects.values_list("detail", flat=True)]
    assert not [text for text in written if "tell-nobody-1" in text]
