"""Holding every start, and waiting until it is safe to stop."""

from __future__ import annotations

from typing import Any

from relman.cli import exits
from tests.cli.conftest import Run
from tests.cli.server import Api

RUNNING = [{"promotion": 7, "status": "running", "text": "Shop 1.0.0 to Live"}]


def state(on: bool, **more: Any) -> dict[str, Any]:
    """The API's answer."""
    base: dict[str, Any] = {
        "on": on,
        "since": None,
        "by": None,
        "reason": None,
        "running": [],
        "queued": 0,
        "safe_to_stop": False,
    }
    return {**base, "text": "There is no maintenance.", **more}


BUSY = state(True, by="Ada", reason="Disks", running=RUNNING, queued=2, text="1 runs: Shop 1.0.0 to Live.")
SAFE = state(True, by="Ada", reason="Disks", safe_to_stop=True, text="Safe to stop: nothing runs.")


def test_how_it_is(run: Run, api: Api) -> None:
    api.on("GET maintenance/", BUSY)
    ran = run("maintenance")
    assert ran.code == 0
    assert "by Ada: Disks" in ran.out and "1 runs: Shop 1.0.0 to Live." in ran.out and "queued: 2" in ran.out
    assert run("maintenance", "--json").json == BUSY


def test_on_and_off(run: Run, api: Api) -> None:
    api.on("POST maintenance/", SAFE)
    api.on("POST maintenance/", state(False))
    assert run("maintenance", "on", "--reason", "Disks").code == 0
    assert api.asked[-1].body == {"on": True, "reason": "Disks"}
    assert "There is no maintenance." in run("maintenance", "off").out
    assert api.asked[-1].body == {"on": False}


def test_waiting_until_it_is_safe_to_stop(run: Run, api: Api, pauses: list[float]) -> None:
    api.on("POST maintenance/", BUSY)
    api.on("GET maintenance/", BUSY)
    ran = run("maintenance", "on", "--reason", "Disks", "--wait", "--timeout", "3")
    assert (ran.code, "1 runs" in ran.err) == (exits.TIMEOUT, True)
    api.on("GET maintenance/", SAFE)
    assert run("maintenance", "on", "--reason", "Disks", "--wait").code == exits.OK


def test_a_maintenance_without_a_reason_is_no_call(run: Run, api: Api) -> None:
    assert run("maintenance", "on").code == exits.USAGE
    assert run("maintenance", "off", "--wait").code == exits.USAGE
    assert api.asked == []
