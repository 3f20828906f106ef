"""Practising the way back, and lifting holds."""

from __future__ import annotations

from typing import Any

import pytest

from relman.cli import exits
from tests.cli.conftest import Run
from tests.cli.server import Api

PLACE = "environments/shop/qa/rehearsal/"


def rehearsal(state: str, **more: Any) -> dict[str, Any]:
    """A rehearsal as the API shows it."""
    base = {"id": 3, "application": "shop", "phase": "qa", "leaves": "1.1.0", "to": "1.0.0", "back": 7}
    return {**base, "state": state, "reason": "", **more}


def test_it_begins_and_says_what_goes_back(run: Run, api: Api) -> None:
    api.on(f"POST {PLACE}", rehearsal("back"), status=201)
    ran = run("rehearse", "shop", "qa", "--comment", "Before Friday")
    assert ran.code == exits.OK
    assert "from 1.1.0 to 1.0.0 has begun (promotion 7)" in ran.out
    assert api.asked[0].body == {"comment": "Before Friday"}


@pytest.mark.parametrize(("state", "code"), [("passed", 0), ("failed", exits.FAILED), ("stopped", exits.CANCELLED)])
def test_it_waits_for_the_end(run: Run, api: Api, state: str, code: int) -> None:
    api.on(f"POST {PLACE}", rehearsal("back"), status=201)
    api.on(f"GET {PLACE}", rehearsal("forth"))
    api.on(f"GET {PLACE}", rehearsal(state, reason="Back in 3 s."))
    ran = run("rehearse", "shop", "qa", "--wait")
    assert ran.code == code
    assert f"Rehearsal {state}. Back in 3 s." in ran.out
    assert "on the way forward again" in ran.err


def test_a_wait_that_is_over_says_that_it_goes_on(run: Run, api: Api) -> None:
    api.on(f"POST {PLACE}", rehearsal("back"), status=201)
    api.on(f"GET {PLACE}", rehearsal("back"))
    assert run("rehearse", "shop", "qa", "--wait", "--timeout", "5").code == exits.TIMEOUT


def test_where_it_is_not_ready_it_says_why(run: Run, api: Api) -> None:
    api.problem(f"POST {PLACE}", 409, "Live is the last phase.")
    ran = run("rehearse", "shop", "qa")
    assert ran.code == exits.CONFLICT and "last phase" in ran.err


def test_lifting_a_hold(run: Run, api: Api) -> None:
    api.on("POST applications/shop/releases/1.1.0/holds/live/lift/", {"version": "1.1.0"})
    ran = run("lift", "shop", "1.1.0", "live", "--comment", "Mended")
    assert (ran.code, ran.out) == (exits.OK, "shop 1.1.0 is no longer held in live.\n")
    assert api.asked[0].body == {"comment": "Mended"}
