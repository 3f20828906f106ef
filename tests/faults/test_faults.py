"""The matrix of faults, each row briefly against real processes. At length: `make drill RUNS=n`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.conductor import Conductor

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults"), pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def drill() -> Iterator[Conductor]:
    """Stores, two workers and a world, in processes of their own."""
    conductor = Conductor(4711)
    yield conductor
    conductor.close()


TOGETHER = (
    ("1", "3", "2", "19"),
    ("10", "13", "4", "5", "6", "6b", "7"),
    ("11", "12", "14", "15", "16", "21"),
    ("20",),
    ("45",),
)
"""Rows that are played one after the other and judged once, to save time."""
_seed = random.randrange(10**6)
_played: dict[str, dict[str, Any]] = {}


def play(drill: Conductor, row: str) -> dict[str, Any]:
    """Play a row and its neighbours: nothing lost, doubled, wrong or late, and something did happen."""
    if row not in _played:
        _played.update(drill.rows(next(rows for rows in TOGETHER if row in rows), _seed))
    report = _played[row]
    assert report["wrong"] == [], f"seed {_seed}"
    assert (report["lost"], report["doubled"], report["late"]) == (0, 0, 0)
    assert report["injected"] > 0
    return report


def test_1_a_worker_killed_at_any_boundary_loses_and_doubles_nothing(drill):
    play(drill, "1")


def test_2_a_whole_worker_killed_with_and_without_a_survivor(drill):
    play(drill, "2")


def test_3_a_worker_that_was_stopped_for_twice_its_lease_is_harmless(drill):
    play(drill, "3")


def test_4_a_broker_that_comes_back_empty_loses_none(drill):
    play(drill, "4")


def test_5_clicks_are_answered_while_the_broker_is_down(drill):
    facts = play(drill, "5")["facts"]
    print(f"slowest click {facts['slowest click']} s; with the broker there: {facts['with the broker']} s")
    assert facts["slowest click"] > 0


def test_6_workers_consume_again_after_their_connections_were_reset(drill):
    assert play(drill, "6")["facts"]["same workers"]


def test_6_workers_consume_again_after_the_broker_swallowed_what_they_said(drill):
    assert play(drill, "6b")["facts"]["same workers"]


def test_7_a_killed_database_leaves_no_wrong_state(drill):
    play(drill, "7")


def test_10_messages_that_come_again_claim_nothing(drill):
    play(drill, "10")


def test_11_twenty_clicks_with_one_key_are_one_promotion(drill):
    play(drill, "11")


def test_12_twenty_approvers_at_once_are_counted_right(drill):
    facts = play(drill, "12")["facts"]
    assert facts["counted"] >= 2


def test_13_two_promotions_of_one_environment_never_run_together(drill):
    play(drill, "13")


def test_14_races_have_one_outcome(drill):
    play(drill, "14")


def test_15_what_changed_after_the_approval_does_not_run(drill):
    play(drill, "15")


def test_16_a_killed_upload_leaves_nothing(drill):
    play(drill, "16")


def test_21_workers_of_before_leave_newer_plans_to_newer_workers(drill):
    play(drill, "21")


def test_19_a_rollback_survives_what_a_deployment_survives(drill):
    assert play(drill, "19")["facts"]["rollbacks"]


def test_20_a_rolling_restart_repeats_nothing(drill):
    facts = play(drill, "20")["facts"]
    assert (facts["taken over"], facts["not succeeded"]) == (0, 0)


def test_whoever_a_dead_worker_held_is_heard_of_within_45_seconds_at_default_settings(drill):
    report = play(drill, "45")
    assert 0 < report["slowest"] < 45


def test_9_clocks_of_workers_mean_nothing(drill):
    play(drill, "45")  # there the clocks of all workers jump
