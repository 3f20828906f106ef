"""Asking for promotions, waiting for their ends, deciding on them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from relman.cli import exits
from relman.cli.commands.promote import moment
from relman.cli.failure import Failure
from tests.cli.conftest import Run
from tests.cli.server import HANG_UP, Api

WAITING = {
    "gate": "approvals",
    "state": "waiting",
    "reason": "One business owner must approve.",
    "who": ["Business owner"],
    "earliest": None,
    "link": "/promotions/7/",
}


def promotion(status: str, **more: Any) -> dict[str, Any]:
    """A promotion as the API shows it."""
    base = {"id": 7, "application": "shop", "version": "1.0.0", "phase": "live", "kind": "deploy"}
    return {**base, "status": status, "verdicts": [], "steps": [], **more}


def test_promote_sends_only_what_was_said(run: Run, api: Api) -> None:
    api.on("POST promotions/", promotion("queued"), status=201)
    ran = run("promote", "shop", "1.0.0", "live")
    assert api.asked[0].body == {"application": "shop", "version": "1.0.0", "phase": "live"}
    assert ran.out == "Promotion 7 (shop 1.0.0 to live) is queued.\n"
    assert "relman wait 7" in ran.err


def test_promote_with_everything(run: Run, api: Api) -> None:
    api.on("POST promotions/", promotion("waiting", verdicts=[WAITING]), status=201)
    more = ("--comment", "Go", "--not-before", "2026-12-24T18:00:00+01:00", "--allow-lower")
    ran = run("promote", "shop", "1.0.0", "live", *more)
    assert api.asked[0].body["not_before"] == "2026-12-24T18:00:00+01:00"
    assert (api.asked[0].body["comment"], api.asked[0].body["allow_lower"]) == ("Go", True)
    assert "approvals: One business owner must approve." in ran.out
    assert "who can clear it: Business owner" in ran.out
    assert f"see: {api.url}/promotions/7/" in ran.out


def test_a_refusal_tells_the_gates(run: Run, api: Api) -> None:
    failed = {**WAITING, "gate": "order", "state": "failed", "reason": "Stage has not had 1.0.0."}
    api.problem("POST promotions/", 409, "shop 1.0.0 cannot go to Live.", verdicts=[WAITING, failed])
    assert f"see: {api.url}/promotions/7/" in run("promote", "shop", "1.0.0", "live").err
    api.problem("POST promotions/", 409, "shop 1.0.0 cannot go to Live.", verdicts=[WAITING, failed])
    ran = run("promote", "shop", "1.0.0", "live")
    assert ran.code == exits.CONFLICT
    assert ran.err.index("cannot go to Live") < ran.err.index("Stage has not") < ran.err.index("business owner must")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("succeeded", 0),
        ("failed", 10),
        ("errored", 11),
        ("rejected", 12),
        ("cancelled", 13),
        ("aborted", 14),
        ("expired", 15),
        ("superseded", 16),
    ],
)
def test_the_exit_code_of_wait_tells_the_end(run: Run, api: Api, status: str, code: int) -> None:
    for now in ("waiting", "queued", "running", status):
        api.on("GET promotions/7/", promotion(now))
    ran = run("wait", "#7")
    assert ran.code == code
    assert status in ran.out
    assert "is running" in ran.err


def test_wait_ends_with_its_own_code_when_the_time_is_over(run: Run, api: Api, pauses: list[float]) -> None:
    api.on("GET promotions/7/", promotion("waiting", verdicts=[WAITING]))
    ran = run("wait", "7", "--timeout", "1m")
    assert ran.code == exits.TIMEOUT
    assert "Business owner" in ran.out
    assert "for approvals" in ran.err
    assert sum(pauses) == pytest.approx(60)
    assert len(api.asked) < 30


def test_wait_outlives_a_short_outage(run: Run, api: Api) -> None:
    api.on("GET promotions/7/", promotion("running"))
    for _ in range(6):
        api.on("GET promotions/7/", b"<html>", status=503)
    api.on("GET promotions/7/", status=HANG_UP)
    api.on("GET promotions/7/", promotion("succeeded"))
    assert run("wait", "7").code == 0


def test_wait_gives_up_when_nobody_answers_for_long(run: Run, api: Api) -> None:
    api.on("GET promotions/7/", promotion("running"))
    api.on("GET promotions/7/", b"<html>", status=503)
    assert run("wait", "7").code == exits.UNREACHABLE
    assert len(api.asked) < 40


def test_promote_and_wait_in_one(run: Run, api: Api) -> None:
    api.on("POST promotions/", promotion("queued"), status=201)
    api.on("GET promotions/7/", promotion("running", steps=[{"name": "Unpack", "status": "running"}]))
    api.on("GET promotions/7/", promotion("failed", reason="The health check said 500."))
    ran = run("--json", "promote", "shop", "1.0.0", "live", "--wait")
    assert ran.code == exits.FAILED
    assert ran.json["status"] == "failed"
    assert "step Unpack" in ran.err


def test_rollback_needs_a_reason_and_may_name_a_version(run: Run, api: Api) -> None:
    assert run("rollback", "shop", "live").code == exits.USAGE
    api.on("POST environments/shop/live/rollback/", promotion("queued", kind="rollback"), status=201)
    assert "It is a rollback." in run("rollback", "shop", "live", "--reason", "Carts are empty").out
    run("rollback", "shop", "live", "--reason", "Carts are empty", "--version", "0.9.0")
    assert [asked.body for asked in api.asked] == [
        {"reason": "Carts are empty"},
        {"reason": "Carts are empty", "version": "0.9.0"},
    ]


@pytest.mark.parametrize("verb,kind", [("revert", "redeploy"), ("adopt", "adopt")])
def test_drift_is_ended_with_a_reason(run: Run, api: Api, verb: str, kind: str) -> None:
    assert run(verb, "shop", "live").code == exits.USAGE
    api.on(f"POST environments/shop/live/{verb}/", promotion("queued", kind=kind), status=201)
    assert kind in run(verb, "shop", "live", "--reason", "Swapped by hand").out
    assert [asked.body for asked in api.asked] == [{"reason": "Swapped by hand"}]


def offer(**more: Any) -> dict[str, Any]:
    """What a rollback would do, as the API shows it."""
    last = {"phase": "qa", "leaves": "1.1.0", "to": "1.0.0", "state": "passed", "pair": True}
    last["at"] = "2026-06-17T06:00:00Z"
    back = {"version": "1.0.0", "sentence": "Back to 1.0.0 is ready.", "usual_seconds": 12.4, "rehearsal": last}
    key = {"key": "COLOUR", "then": "red", "today": "blue", "secret": False}
    base = {"application": "shop", "phase": "live", "live": "1.1.0", "version": "1.0.0", "differences": [key]}
    return {**base, "verdicts": [], "allowed": True, "reason": "", "way_back": back, **more}


def test_rollback_may_take_todays_configuration(run: Run, api: Api) -> None:
    api.on("POST environments/shop/live/rollback/", promotion("queued", kind="rollback"), status=201)
    run("rollback", "shop", "live", "--reason", "Slow", "--configuration", "today")
    assert api.asked[0].body == {"reason": "Slow", "configuration": "today"}


def test_a_dry_run_tells_what_differs_and_asks_for_nothing(run: Run, api: Api) -> None:
    api.on("GET environments/shop/live/rollback/", offer())
    ran = run("rollback", "shop", "live", "--version", "1.0.0", "--dry-run")
    assert (ran.code, [one.method for one in api.asked]) == (exits.OK, ["GET"])
    assert api.asked[0].path.endswith("rollback/?version=1.0.0")
    for words in ("from 1.1.0 to 1.0.0", "COLOUR", "red", "blue", "about 12 s", "passed in qa"):
        assert words in ran.out


def test_a_dry_run_of_what_is_refused_says_so(run: Run, api: Api) -> None:
    api.on("GET environments/shop/live/rollback/", offer(allowed=False, reason="You may not."))
    ran = run("rollback", "shop", "live", "--dry-run")
    assert ran.code == exits.CONFLICT and "You may not." in ran.out


def test_retry_makes_a_new_one(run: Run, api: Api) -> None:
    api.on("POST promotions/7/retry/", promotion("queued") | {"id": 8}, status=201)
    assert "Promotion 8" in run("retry", "7").out


def test_approve_sends_the_seal_of_what_is_there(run: Run, api: Api) -> None:
    api.on("GET promotions/7/", promotion("waiting", seal="abc"))
    api.on("POST promotions/7/approve/", promotion("queued"))
    assert run("approve", "7", "--comment", "Good").code == 0
    assert api.asked[1].body == {"comment": "Good", "seal": "abc"}


def test_approve_with_a_seal_asks_nothing_first(run: Run, api: Api) -> None:
    api.problem("POST promotions/7/approve/", 409, "It has changed since.")
    assert run("approve", "7", "--seal", "old").code == exits.CONFLICT
    assert api.asked[0].body == {"seal": "old"}


def test_reject_needs_a_comment(run: Run, api: Api) -> None:
    assert run("reject", "7").code == exits.USAGE
    api.on("POST promotions/7/reject/", promotion("rejected"))
    assert "was rejected" in run("reject", "7", "--comment", "Not now").out
    assert api.asked[0].body == {"comment": "Not now"}


@pytest.mark.parametrize("verb", ["withdraw", "cancel", "abort"])
def test_withdraw_cancel_and_abort(run: Run, api: Api, verb: str) -> None:
    api.on(f"POST promotions/7/{verb}/", promotion("cancelled"))
    assert run(verb, "7").code == 0
    assert "idempotency-key" in api.asked[0].headers


@pytest.mark.parametrize("verb", ["yank", "quarantine"])
def test_a_release_is_taken_back_with_a_reason(run: Run, api: Api, verb: str) -> None:
    assert run(verb, "shop", "1.0.0").code == exits.USAGE
    api.on(f"POST applications/shop/releases/1.0.0/{verb}/", {"version": "1.0.0", "state": f"{verb}ed"})
    assert run(verb, "shop", "--reason", "Carts are empty", "1.0.0").out == f"shop 1.0.0 is {verb}ed.\n"
    assert api.asked[0].body == {"reason": "Carts are empty"}


def test_resolve_says_how_it_ended(run: Run, api: Api) -> None:
    assert run("resolve", "7", "--as", "maybe").code == exits.USAGE
    api.on("POST promotions/7/resolve/", promotion("succeeded"))
    assert run("resolve", "7", "--as", "done", "--comment", "It serves 1.0.0").code == 0
    assert api.asked[0].body == {"as": "done", "comment": "It serves 1.0.0"}


@pytest.mark.parametrize("number", ["../me", "", "7/approve", "7?x", "abc"])
def test_a_promotion_is_a_number_and_no_path(run: Run, api: Api, number: str) -> None:
    assert run("abort", number).code == exits.USAGE
    assert api.asked == []


def test_times_always_carry_their_zone() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert moment("+90m", now) == "2026-01-01T13:30:00+00:00"
    assert moment("2026-12-24T18:00+01:00") == "2026-12-24T18:00:00+01:00"
    assert datetime.fromisoformat(moment("2026-12-24T18:00")).tzinfo is not None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("2027-03-28T02:30", "does not come.* 2027-03-28T01:30:00\\+01:00 or 2027-03-28T03:30:00\\+02:00"),
        ("2026-10-25T02:30", "comes twice.* 2026-10-25T02:30:00\\+02:00 or 2026-10-25T02:30:00\\+01:00"),
    ],
)
def test_where_the_clock_jumps_a_person_says_which_time(monkeypatch: pytest.MonkeyPatch, given: str, said: str) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        with pytest.raises(Failure, match=said):
            moment(given)
        assert moment("2027-03-28T03:30") == "2027-03-28T03:30:00+02:00"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_nonsense_is_no_time() -> None:
    with pytest.raises(Failure):
        moment("tonight")


QUEUE = {
    "position": 2,
    "length": 5,
    "in_front": [
        {"promotion": 6, "status": "running", "text": "Shop 0.9.0 to Live"},
        {"promotion": None, "status": "", "text": "another promotion"},
    ],
    "more": 3,
    "estimate": 240.0,
    "text": "It stands behind others. It should start in about 4 m.",
}


def test_the_emergency_lane_is_asked_for_with_its_reason(run: Run, api: Api) -> None:
    lane = {"emergency_at": "2026-12-24T18:00:00Z", "emergency_by": {"name": "Ada"}, "emergency_reason": "Carts"}
    api.on("POST promotions/", promotion("queued", **lane), status=201)
    ran = run("promote", "shop", "1.0.0", "live", "--emergency", "Carts")
    assert (api.asked[0].body["emergency"], api.asked[0].body["reason"]) == (True, "Carts")
    assert "by Ada: Carts" in ran.out
    api.on("POST environments/shop/live/rollback/", promotion("queued"), status=201)
    run("rollback", "shop", "live", "--reason", "Carts", "--emergency")
    assert api.asked[-1].body == {"reason": "Carts", "emergency": True}
    api.on("POST promotions/7/expedite/", promotion("queued", queue=QUEUE))
    ran = run("expedite", "7", "--reason", "Carts")
    assert (api.asked[-1].body, ran.code) == ({"reason": "Carts"}, 0)


def test_the_queue_is_told(run: Run, api: Api) -> None:
    api.on("GET promotions/7/", promotion("queued", queue=QUEUE))
    for command in ("status", "why"):
        out = run(command, "7").out
        assert "queue: number 2 of 5. It stands behind others. It should start in about 4 m." in out
        assert "in front: promotion 6, running: Shop 0.9.0 to Live" in out
        assert "in front: another promotion\n  and 3 more" in out
