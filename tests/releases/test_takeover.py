"""What the engine does when workers die, stop or hang at bad moments; with real processes: tests/faults."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from phases import actions as places
from phases import configuration
from phases.drivers.home import home
from phases.drivers.ledger import Fence
from releases import actions
from releases.engine import advance_waiting, lease, runner, steps, sweep
from releases.engine.stopping import Flag
from releases.models import Promotion, Step
from relman import background
from tests.factories import run
from tests.releases.test_engine import orphan, remake
from tests.waiting import until


def test_a_child_that_is_killed_while_it_looks_leaves_the_flag_usable():
    flag = Flag()
    child = os.fork()
    if child == 0:
        while True:
            flag.is_set()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert not flag.is_set()
    flag.set()
    assert flag.is_set()


def test_an_abort_in_the_last_step_is_honoured_by_the_transaction_that_would_end_it(shop, monkeypatch):
    remake(shop, "dev", steps=2, verify=False)
    promotion = shop.ask(shop.release(), "dev")
    timed = steps.Work.timed

    def abort_meanwhile(work, step, call):
        result = timed(work, step, call)
        if step.number == 2:
            actions.abort(Promotion.objects.get(pk=promotion.pk), actor=shop.actor("developer"), comment="Wrong.")
        return result

    monkeypatch.setattr(steps.Work, "timed", abort_meanwhile)
    runner.tick(promotion.pk)
    promotion.refresh_from_db()
    assert (promotion.status, promotion.cleanup) == ("aborted", "done")
    assert set(promotion.steps.filter(when="run").values_list("status", flat=True)) == {"succeeded"}


def test_an_abort_that_was_accepted_before_the_end_is_honoured(shop, monkeypatch):
    monkeypatch.setattr(runner.Visit, "is_last", lambda *_: False)  # as after a takeover: all steps done, not ended
    promotion = shop.ask(shop.release(), "dev")
    done = runner.Visit.section_done

    def abort_first(visit):
        if visit.promotion.status == "verifying":
            actions.abort(Promotion.objects.get(pk=promotion.pk), actor=shop.actor("developer"), comment="Wrong.")
        return done(visit)

    monkeypatch.setattr(runner.Visit, "section_done", abort_first)
    runner.tick(promotion.pk)
    promotion.refresh_from_db()
    assert (promotion.status, promotion.cleanup) == ("aborted", "done")


def test_clean_up_waits_while_the_outcome_of_what_came_after_is_unknown(shop, monkeypatch):
    places.set_phase(shop.phase("dev"), actor=shop.actor("admin"), in_order=True)
    first = shop.ask(shop.release("1.0.0"), "dev")
    monkeypatch.setattr(runner.Visit, "go", lambda visit: None)
    runner.tick(first.pk)
    monkeypatch.undo()
    Promotion.objects.filter(pk=first.pk).update(
        status="succeeded", finished_at=Now(), cleanup="due", lease_until=None, lease_owner=""
    )
    remake(shop, "dev", steps=[{"do": "errored", "reason": "No answer."}])
    second = run(shop.ask(shop.release("1.1.0"), "dev"))
    assert second.status == "errored"
    assert lease.claim(first.pk) is None
    actions.resolve(second, actor=shop.actor("developer"), outcome="failed", comment="Looked.")
    assert lease.claim(first.pk) is not None


def test_clean_up_that_a_later_promotion_makes_its_own_is_not_shown_as_running_for_ever(shop, monkeypatch):
    first = shop.ask(shop.release("1.0.0"), "dev")
    monkeypatch.setattr(runner.Visit, "go", lambda visit: None)
    runner.tick(first.pk)
    monkeypatch.undo()
    first.steps.exclude(when="after").update(status="succeeded")
    first.steps.filter(when="after").update(status="running", detail="1 instance of earlier versions drains.")
    Promotion.objects.filter(pk=first.pk).update(
        status="succeeded", finished_at=Now(), cleanup="due", lease_until=None, lease_owner=""
    )
    second = run(shop.ask(shop.release("1.1.0"), "dev"))
    assert lease.claim(first.pk) is None
    first.refresh_from_db()
    assert first.cleanup == "done"
    (left,) = first.steps.filter(when="after")
    assert (left.status, left.detail) == ("skipped", f"Left to promotion {second.pk}, which came after.")
    assert left.finished_at is not None


def test_a_database_that_goes_away_in_a_step_is_not_the_drivers_failure(shop, monkeypatch):
    promotion = shop.ask(shop.release(), "dev")

    def gone(*_, **__):
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(steps.Work, "timed", gone)
    with pytest.raises(OperationalError):
        runner.tick(promotion.pk)
    monkeypatch.undo()
    promotion.refresh_from_db()
    assert promotion.status == "running"
    Promotion.objects.filter(pk=promotion.pk).update(lease_until=Now())
    assert run(promotion).status == "succeeded"


def test_a_step_that_outlives_its_visit_is_told_to_stop(shop):
    claim = orphan(shop.ask(shop.release(), "dev"))
    with lease.Keeper(claim) as keeper:
        work = steps.Work(claim, keeper)
        assert work.stop() is None
    assert work.stop()


def test_the_sweep_rings_for_the_first_in_line_only(shop, bell, settings):
    settings.RING_AGAIN = 0
    places.set_phase(shop.phase("dev"), actor=shop.actor("admin"), in_order=True)
    first, second = shop.ask(shop.release("1.0.0"), "dev"), shop.ask(shop.release("1.1.0"), "dev")
    bell.clear()
    sweep.ring_again()
    assert (first.pk in bell, second.pk in bell) == (True, False)


def test_steps_that_follow_each_other_are_begun_once(shop):
    remake(shop, "dev", steps=4)
    promotion = run(shop.ask(shop.release(), "dev"))
    assert promotion.status == "succeeded"
    assert set(promotion.steps.filter(when="run").values_list("attempts", flat=True)) == {1}
    assert promotion.lines.filter(level="group", text__startswith="Step 2").count() == 1


def test_a_worker_that_is_asked_to_stop_begins_nothing_more(shop, monkeypatch):
    remake(shop, "dev", steps=4)
    promotion, flag = shop.ask(shop.release(), "dev"), threading.Event()
    monkeypatch.setattr(runner, "stopping", flag)
    timed = steps.Work.timed

    def stop_meanwhile(work, step, call):
        flag.set()
        return timed(work, step, call)

    monkeypatch.setattr(steps.Work, "timed", stop_meanwhile)
    runner.tick(promotion.pk)
    promotion.refresh_from_db()
    assert (promotion.status, promotion.lease_until) == ("running", None)
    assert list(Step.objects.filter(promotion=promotion, when="run").values_list("status", flat=True)) == [
        "succeeded", "pending", "pending", "pending",
    ]  # fmt: skip


def test_a_restored_database_waits_for_a_person_and_goes_on_beyond_the_target(shop):
    places.set_phase(shop.phase("dev"), actor=shop.actor("admin"), in_order=True)
    shop.bring(shop.release("1.0.0"), "dev")
    environment = shop.environments["dev"]
    folder = home() / "scripted" / str(environment.pk)
    with Fence(folder).held(40):
        pass
    second = run(shop.ask(shop.release("1.1.0"), "dev"))
    assert second.status == "errored"
    assert "older copy" in second.reason
    actions.resolve(second, actor=shop.actor("developer"), outcome="failed", comment="Looked.")
    assert run(second).cleanup == "done"
    third = run(shop.ask(shop.release("1.2.0"), "dev"))
    assert third.status == "succeeded"
    assert third.epoch > 40


def test_a_mistake_of_relmans_own_ends_in_a_persons_hands(shop, monkeypatch):
    promotion = shop.ask(shop.release(), "dev")

    def broken(*_):
        raise KeyError("secret")

    monkeypatch.setattr(configuration, "reveal", broken)
    runner.tick(promotion.pk)
    promotion.refresh_from_db()
    assert promotion.status == "errored"
    assert "KeyError" in promotion.reason


def test_many_that_wait_for_long_keep_nobody_from_being_asked(shop, monkeypatch):
    monkeypatch.setattr(advance_waiting, "BATCH", 1)
    monkeypatch.setattr(advance_waiting, "_reached", 0)
    waiting = [shop.ask(shop.release(), "dev"), shop.ask(shop.release("1.1.0"), "dev")]
    Promotion.objects.filter(pk__in=[one.pk for one in waiting]).update(status="waiting")
    asked: list[int] = []
    monkeypatch.setattr(advance_waiting, "one", asked.append)
    for _ in range(3):
        advance_waiting.all_waiting()
    assert asked == [waiting[0].pk, waiting[1].pk]


def test_a_visit_that_hangs_keeps_its_lease_for_no_more_than_two(shop, settings):
    settings.LEASE = 1
    claim = lease.claim(shop.ask(shop.release(), "dev").pk)
    assert claim is not None
    with lease.Keeper(claim) as keeper:
        assert until(lambda: keeper.lost, 60)


def test_a_child_forked_while_a_thread_was_being_started_can_send(monkeypatch):
    with background._lock:  # as the parent's other thread held it at that moment
        child = os.fork()
        if child == 0:
            os._exit(0 if background.flush() else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_target_that_somebody_else_locks_for_a_moment_is_waited_for(shop):
    promotion = shop.ask(shop.release(), "dev")
    folder = home() / "scripted" / str(promotion.environment_id)
    folder.mkdir(parents=True, exist_ok=True)
    locked, enough = threading.Event(), threading.Event()

    def hold():
        with Fence(folder).held(0):
            locked.set()
            enough.wait(0.5)

    thread = threading.Thread(target=hold)
    thread.start()
    assert locked.wait(60)
    assert run(promotion).status == "succeeded"
    thread.join()
