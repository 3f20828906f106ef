"""The engine: every promotion runs once, in effect."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from phases import actions as places
from releases import actions
from releases.engine import lease, runner, sweep
from releases.models import Outbox, Promotion, Step
from tests.factories import run
from tests.waiting import in_background, until


def remake(shop, phase, **script):
    """Give an environment another script."""
    settings = {"verify": {"passes": 1, "interval": 0}, **script}
    places.edit_environment(shop.environments[phase], actor=shop.actor("devops"), settings=settings)
    shop.environments[phase].refresh_from_db()


def kinds(promotion):
    return [(step.kind, step.status) for step in promotion.steps.all()]


def test_it_walks_from_dev_to_live(shop):
    promotion = shop.bring(shop.release(), "dev", "qa", "stage", "live")
    assert promotion.status == "succeeded"
    assert promotion.cleanup == "done"
    assert promotion.steps.filter(when__in=("run", "verify")).exclude(status__in=("succeeded", "skipped")).count() == 0


def test_the_doorbell_rings_and_the_claim_takes_the_outbox_row(shop, bell):
    promotion = shop.ask(shop.release(), "dev")
    assert bell == [promotion.pk]
    assert Outbox.objects.count() == 1
    run(promotion)
    assert Outbox.objects.count() == 0


def test_a_failed_step_fails_the_promotion_and_undoes_it(shop):
    remake(shop, "dev", steps=[{"do": "noop"}, {"do": "fail", "reason": "The target said no."}])
    promotion = run(shop.ask(shop.release(), "dev"))
    assert promotion.status == "failed"
    assert "The target said no." in promotion.reason
    assert ("discard", "succeeded") in kinds(promotion)


def test_a_failed_verification_never_becomes_live(shop):
    good = shop.bring(shop.release("1.0.0"), "dev")
    remake(shop, "dev", steps=1, health="exit")
    bad = run(shop.ask(shop.release("1.1.0"), "dev"))
    assert bad.status == "failed"
    from releases.queries.lookups import live_of

    live = live_of(shop.environments["dev"])
    assert live is not None and live.pk == good.pk


def test_an_unknown_outcome_blocks_until_a_person_speaks(shop):
    remake(shop, "dev", steps=[{"do": "errored", "reason": "No answer."}])
    promotion = run(shop.ask(shop.release("1.0.0"), "dev"))
    assert promotion.status == "errored"
    waiting = shop.ask(shop.release("1.1.0"), "dev")
    assert waiting.status == "waiting"
    actions.resolve(promotion, actor=shop.actor("developer"), outcome="failed", comment="Looked.")
    sweep.round_once()
    waiting.refresh_from_db()
    assert waiting.status == "queued"


def test_transient_errors_are_tried_again(shop):
    remake(shop, "dev", steps=[{"do": "transient", "times": 1}])
    promotion = run(shop.ask(shop.release(), "dev"))
    assert promotion.status == "running"
    assert promotion.lease_until is None
    Promotion.objects.filter(pk=promotion.pk).update(wake_at=Now())
    assert run(promotion).status == "succeeded"


def test_a_step_that_comes_back_holds_no_worker(shop):
    remake(shop, "dev", steps=[{"do": "again", "seconds": 3600, "times": 1}, {"do": "noop"}])
    promotion = run(shop.ask(shop.release(), "dev"))
    assert (promotion.status, promotion.lease_until) == ("running", None)
    assert promotion.wake_at is not None
    Promotion.objects.filter(pk=promotion.pk).update(wake_at=Now())
    assert run(promotion).status == "succeeded"


def test_a_step_that_takes_too_long_is_stopped(shop):
    remake(shop, "dev", steps=[{"do": "hang", "timeout": 0.5}])
    promotion = run(shop.ask(shop.release(), "dev"))
    assert promotion.status == "failed"
    assert "longer than" in promotion.reason


def test_an_abort_reaches_into_a_long_step(shop):
    remake(shop, "dev", steps=[{"do": "hang"}])
    promotion = shop.ask(shop.release(), "dev")
    thread = in_background(lambda: runner.tick(promotion.pk))
    assert until(lambda: Step.objects.filter(promotion=promotion, status="running").exists())
    actions.abort(promotion, actor=shop.actor("developer"), comment="Wrong one.")
    thread.join(60)
    promotion.refresh_from_db()
    assert promotion.status == "aborted"
    assert ("discard", "succeeded") in kinds(promotion)


def orphan(promotion, *, step=1):
    """What a worker leaves that was killed inside a step: the row says running, the lease has run out."""
    claim = lease.claim(promotion.pk)
    assert claim is not None
    Step.objects.filter(promotion=promotion, number=step).update(status="running", started_at=Now())
    Promotion.objects.filter(pk=promotion.pk).update(lease_until=Now() - timedelta(seconds=1))
    return claim


def test_a_dead_workers_idempotent_step_is_run_again(shop):
    promotion = shop.ask(shop.release(), "dev")
    orphan(promotion)
    promotion = run(promotion)
    assert promotion.status == "succeeded"
    assert promotion.takeovers == 1
    assert promotion.lines.filter(level="warn").exists()


def test_a_dead_workers_never_step_is_not_run_again(shop):
    remake(shop, "dev", steps=[{"do": "noop", "resume": "never"}])
    promotion = shop.ask(shop.release(), "dev")
    orphan(promotion)
    promotion = run(promotion)
    assert promotion.status == "errored"
    assert "not safe to run it again" in promotion.reason


def test_a_zombie_writes_nothing(shop):
    promotion = shop.ask(shop.release(), "dev")
    zombie = orphan(promotion)
    assert run(promotion).status == "succeeded"
    visit = runner.Visit(zombie, lease.Keeper(zombie))
    step = promotion.steps.first()
    with pytest.raises(Exception, match="taken"):
        visit.work.save(step, {"upstreams": ["127.0.0.1:1"]}, status="failed", detail="late")
    step.refresh_from_db()
    assert step.status == "succeeded"


def test_a_lease_that_holds_is_not_taken(shop):
    promotion = shop.ask(shop.release(), "dev")
    assert lease.claim(promotion.pk) is not None
    assert lease.claim(promotion.pk) is None


def test_each_claim_raises_the_epoch_of_the_environment(shop):
    first = shop.ask(shop.release(), "dev")
    one = orphan(first)
    two = lease.claim(first.pk)
    assert two is not None and two.epoch == one.epoch + 1


def test_ringing_twenty_times_at_once_starts_it_once(shop):
    promotion = shop.ask(shop.release(), "dev")
    threads = [in_background(lambda: runner.tick(promotion.pk)) for _ in range(20)]
    for thread in threads:
        thread.join(60)
    promotion.refresh_from_db()
    assert promotion.status == "succeeded"
    assert promotion.takeovers == 0
    assert [step.attempts for step in promotion.steps.filter(when="run")] == [1, 1]


def test_one_at_a_time_in_an_environment_others_queue(shop):
    places.set_phase(shop.phase("dev"), actor=shop.actor("admin"), in_order=True)
    first, second = shop.ask(shop.release("1.0.0"), "dev"), shop.ask(shop.release("1.1.0"), "dev")
    assert lease.claim(first.pk) is not None
    assert lease.claim(second.pk) is None
    second.refresh_from_db()
    assert second.status == "queued"


def test_a_newer_request_supersedes_what_has_not_started(shop):
    first, second = shop.ask(shop.release("1.0.0"), "dev"), shop.ask(shop.release("1.1.0"), "dev")
    first.refresh_from_db()
    assert first.status == "superseded"
    assert first.superseded_by_id == second.pk
    assert str(second.pk) in first.reason


def test_what_changed_before_the_start_goes_back_to_waiting_and_says_so(shop):
    release = shop.release()
    shop.bring(release, "dev", "qa", "stage")
    promotion = shop.approve(shop.ask(release, "live"))
    assert promotion.status == "queued"
    places.set_configuration(shop.environments["live"], {"GREETING": "hello"}, actor=shop.actor("devops"))
    promotion = run(promotion)
    assert promotion.status == "waiting"
    assert "configuration" in promotion.reason
    assert promotion.approvals.filter(voided_at=None).count() == 0
    assert run(shop.approve(promotion)).status == "succeeded"


def test_an_approver_who_lost_the_right_counts_no_more_at_the_start(shop):
    release = shop.release()
    shop.bring(release, "dev", "qa", "stage")
    promotion = shop.approve(shop.ask(release, "live"))
    grant = shop.phase("live").grants.get(user=shop.people["business-owner"])
    places.revoke(grant, actor=shop.actor("admin"))
    promotion = run(promotion)
    assert promotion.status == "waiting"
    assert "business" in promotion.reason


def test_a_schedule_holds_until_its_time(shop):
    from relman.clock import now

    promotion = shop.ask(shop.release(), "dev", not_before=now() + timedelta(hours=1))
    assert promotion.status == "waiting"
    sweep.round_once()
    promotion.refresh_from_db()
    assert promotion.status == "waiting"
    earlier(promotion, hours=1)
    sweep.round_once()
    promotion.refresh_from_db()
    assert promotion.status == "queued"


def earlier(promotion, **by):
    """As if it had been asked for that long ago: the time that it waits for has come."""
    moments = {name: F(name) - timedelta(**by) for name in ("not_before", "not_after", "wake_at")}
    Promotion.objects.filter(pk=promotion.pk).update(**moments)


def test_a_deadline_that_passed_expires_it(shop):
    from relman.clock import now

    start = now() + timedelta(hours=1)
    promotion = shop.ask(shop.release(), "dev", not_before=start, not_after=start + timedelta(hours=1))
    earlier(promotion, hours=1, minutes=30)
    sweep.round_once()
    promotion.refresh_from_db()
    assert promotion.status == "queued", "between its two times it goes"
    earlier(promotion, hours=1)
    sweep.round_once()
    promotion.refresh_from_db()
    assert promotion.status == "expired"


def test_the_sweep_rings_again_for_what_nobody_took(shop, bell, settings):
    settings.RING_AGAIN = 0
    promotion = shop.ask(shop.release(), "dev")
    bell.clear()
    time.sleep(0.1)
    sweep.round_once()
    assert promotion.pk in bell
