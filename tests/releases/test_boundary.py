"""A step's boundary: one statement, by whoever holds the promotion."""

from __future__ import annotations

import threading

import pytest
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from phases import actions as places
from releases.engine import boundary, runner
from releases.models import LogLine, Promotion, Step
from relman.audit.models import Event
from tests.bench import commits
from tests.factories import run
from tests.releases.test_engine import orphan, remake

VISIT = 28
"""Queries of a whole visit of five steps, transactions included: each costs a worker half a millisecond."""


@pytest.fixture
def claim(shop):
    """A promotion in somebody's hand, and its first two steps."""
    remake(shop, "dev", steps=3)
    return orphan(shop.ask(shop.release(), "dev"))


def steps_of(claim):
    return list(Step.objects.filter(promotion=claim.promotion).order_by("number"))


def test_a_visit_stays_within_its_queries(shop):
    remake(shop, "dev", steps=5, verify=False, cleanup=False)
    promotion = shop.ask(shop.release(), "dev")
    with CaptureQueriesContext(connection) as captured:
        runner.tick(promotion.pk)
    promotion.refresh_from_db()
    assert promotion.status == "succeeded"
    said = [query["sql"] for query in captured]
    assert len(said) == VISIT, "\n".join(one[:100] for one in said)
    boundaries = sum("WITH mine AS" in one for one in said)
    in_transactions = said.count("COMMIT")  # the claim with the first beginning, and the last step with the end
    assert (in_transactions, boundaries) == (2, 6)
    assert in_transactions + boundaries - 2 == commits.EACH


def test_a_claim_and_the_first_beginning_are_one(shop, monkeypatch):
    remake(shop, "dev", steps=2, verify=False, cleanup=False)
    promotion = shop.ask(shop.release(), "dev")

    def gone(*_, **__):
        raise OperationalError("the connection is closed")

    with monkeypatch.context() as patched, pytest.raises(OperationalError):
        patched.setattr(boundary, "write", gone)
        runner.tick(promotion.pk)
    promotion.refresh_from_db()
    assert (promotion.status, promotion.epoch, promotion.environment.epoch) == ("queued", 0, 0)
    assert not Event.objects.filter(promotion_id=promotion.pk, verb="promotion.started").exists()
    assert run(promotion).status == "succeeded"
    assert list(promotion.steps.values_list("attempts", flat=True)) == [1, 1]


def test_a_first_step_that_is_begun_is_done_although_the_worker_is_asked_to_stop(shop, monkeypatch):
    remake(shop, "dev", steps=[{"do": "noop", "resume": "never"}, {"do": "noop"}], verify=False, cleanup=False)
    promotion, flag = shop.ask(shop.release(), "dev"), threading.Event()
    monkeypatch.setattr(runner, "stopping", flag)
    begin = runner.Visit.begin

    def stop_meanwhile(visit):
        begin(visit)
        flag.set()

    monkeypatch.setattr(runner.Visit, "begin", stop_meanwhile)
    runner.tick(promotion.pk)
    assert list(promotion.steps.values_list("status", flat=True)) == ["succeeded", "pending"]
    flag.clear()
    monkeypatch.setattr(runner.Visit, "begin", begin)
    promotion = run(promotion)
    assert (promotion.status, promotion.takeovers) == ("succeeded", 0)


def test_an_end_and_a_beginning_are_one_query(claim):
    first, second, *_ = steps_of(claim)
    boundary.write(claim, {}, begins=first.pk)
    with CaptureQueriesContext(connection) as captured:
        said = [(1, "info", "b"), (1, "good", "a"), (2, "group", "c")]
        ended = boundary.Ended(first.pk, "succeeded", "done")
        assert boundary.write(claim, {"port": 1}, ended=ended, begins=second.pk, lines=said)
    assert len(captured) == 1
    first, second, *_ = steps_of(claim)
    claim.promotion.refresh_from_db()
    assert claim.promotion.left == {"port": 1}
    assert (first.status, first.detail, first.finished_at is not None) == ("succeeded", "done", True)
    assert (second.status, second.attempts, second.finished_at) == ("running", 1, None)
    lines = LogLine.objects.filter(promotion=claim.promotion).order_by("id")
    assert list(lines.values_list("step", "level", "text")) == said


def test_the_last_steps_end_and_verifying_are_one(shop, monkeypatch):
    promotion = shop.ask(shop.release(), "dev")

    def gone(_):
        raise OperationalError("the connection is closed")

    with monkeypatch.context() as patched, pytest.raises(OperationalError):
        patched.setattr(runner.Visit, "turn_to_verifying", gone)
        runner.tick(promotion.pk)
    assert list(promotion.steps.filter(when="run").values_list("status", flat=True)) == ["succeeded", "running"]
    Promotion.objects.filter(pk=promotion.pk).update(lease_until=Now())
    assert run(promotion).status == "succeeded"
    moved = Event.objects.filter(promotion_id=promotion.pk, verb="promotion.verifying")
    assert moved.count() == 1


def test_whoever_was_replaced_writes_nothing_at_all(claim):
    first, *_ = steps_of(claim)
    promotion = run(claim.promotion)
    assert promotion.status == "succeeded"
    kept = steps_of(claim)[0].finished_at
    lines = promotion.lines.count()
    ended = boundary.Ended(first.pk, "failed", "late")
    assert not boundary.write(claim, {"late": True}, ended=ended, begins=first.pk, lines=[(1, "info", "late")])
    promotion.refresh_from_db()
    assert "late" not in promotion.left
    assert (steps_of(claim)[0].status, steps_of(claim)[0].finished_at) == ("succeeded", kept)
    assert promotion.lines.count() == lines


def test_a_step_that_waits_goes_on_with_the_attempt_that_it_began(claim):
    first, *_ = steps_of(claim)
    boundary.write(claim, {}, begins=first.pk)
    boundary.write(claim, {}, ended=boundary.Ended(first.pk, "running", "not yet"))
    waits = steps_of(claim)[0]
    assert (waits.status, waits.wake_at is not None, waits.finished_at) == ("running", True, None)
    boundary.write(claim, {}, begins=first.pk)
    again = steps_of(claim)[0]
    assert (again.attempts, again.wake_at, again.started_at) == (1, None, waits.started_at)


def test_what_a_step_says_at_its_end_hides_secrets_wherever_it_is_kept(shop):
    secret = "correct-horse-battery"
    environment = shop.environments["dev"]
    places.set_configuration(environment, {"TOKEN": {"value": secret, "secret": True}}, actor=shop.actor("devops"))
    remake(shop, "dev", steps=[{"do": "fail", "reason": f"The target refused {secret}."}])
    promotion = run(shop.ask(shop.release(), "dev"))
    assert promotion.status == "failed"
    kept = [promotion.reason, *promotion.steps.values_list("detail", flat=True)]
    kept += [*promotion.lines.values_list("text", flat=True), *Event.objects.values_list("detail", flat=True)]
    assert any("The target refused" in one for one in kept)
    assert not any(secret in one for one in kept)
