"""What is where: the board, one application, one environment, one promotion; and who I am."""

from __future__ import annotations

from typing import Any

from relman.cli import exits
from tests.cli.conftest import Run
from tests.cli.server import Api
from tests.cli.test_promote import promotion


def row(application: str, pipeline: str, *cells: dict[str, Any]) -> dict[str, Any]:
    """A row of the board."""
    return {"application": application, "pipeline": pipeline, "phases": list(cells)}


MOVING = {"id": 7, "status": "waiting", "version": "1.1.0"}
SHOP = row(
    "shop",
    "web",
    {"phase": "dev", "version": "1.1.0", "health": "healthy", "promotion": None},
    {"phase": "live", "version": "1.0.0", "health": "unhealthy", "promotion": MOVING},
)


def test_the_board_has_one_table_for_each_pipeline(run: Run, api: Api) -> None:
    other = row("till", "desk", {"phase": "demo", "version": None, "health": "unknown", "promotion": None})
    api.on("GET board/", {"results": [SHOP, other], "next": None})
    lines = run("board", "--pipeline", "all").out.splitlines()
    assert api.asked[0].path == "board/?pipeline=all"
    assert lines[0].split() == ["WEB", "DEV", "LIVE"]
    assert lines[1].split("  ") == ["shop", "1.1.0", "1.0.0 unhealthy, 1.1.0 waiting"]
    assert lines[3].split() == ["DESK", "DEMO"]
    assert lines[4].split() == ["till", "-"]


DRIFT = {"kind": "version", "text": "1.1.0 answers there; the record says 1.0.0.", "since": "2026-01-01T12:00:00Z"}


def test_drift_is_told_by_board_and_status(run: Run, api: Api) -> None:
    cell = {"phase": "live", "version": "1.0.0", "health": "healthy", "promotion": None, "drift": DRIFT}
    api.on("GET board/", {"results": [row("shop", "web", cell)], "next": None})
    api.on("GET environments/shop/live/", {**cell, "drift": {**DRIFT, "adoptable": "1.1.0"}})
    assert "1.0.0, drift (version)" in run("board").out
    assert "the record says 1.0.0" in run("status", "shop").out
    told = run("status", "shop", "live")
    assert "1.1.0 answers there" in told.out
    assert "relman revert shop live" in told.err + told.out
    assert "relman adopt shop live" in told.err + told.out


def test_an_empty_board_says_so(run: Run, api: Api) -> None:
    api.on("GET board/", {"results": [], "next": None})
    assert "No application is visible" in run("board").out
    assert run("board", "--json").json == {"results": [], "next": None}


def test_the_status_of_an_application(run: Run, api: Api) -> None:
    api.on("GET board/", {"results": [row("other", "web"), SHOP], "next": None})
    live = {"version": "1.0.0", "since": "2026-01-01T12:00:00Z", "health": "unhealthy"}
    api.on("GET environments/shop/live/", live)
    out = run("status", "shop").out
    assert "1.1.0 waiting (promotion 7)" in out
    assert "2026-01-01" in out
    assert run("status", "nothing").code == exits.NOT_FOUND


def test_the_status_of_an_environment(run: Run, api: Api) -> None:
    found = {"version": "1.0.0", "since": None, "health": "healthy", "digest": "sha256:ab", "address": "http://x/"}
    api.on("GET environments/shop/live/", found)
    assert "sha256:ab" in run("status", "shop", "live").out
    assert run("status", "shop", "live", "--json").json == found


def test_the_status_of_a_promotion(run: Run, api: Api) -> None:
    steps = [{"name": "Unpack", "status": "succeeded", "detail": "", "finished_at": "2026-01-01T12:00:00Z"}]
    api.on("GET promotions/7/", promotion("running", steps=steps, comment="Go"))
    out = run("status", "7").out
    assert "is running" in out
    assert "Unpack  succeeded" in out


def test_whoami_lists_the_rights(run: Run, api: Api) -> None:
    me = {"username": "ci", "rights": [{"pipeline": "web", "phase": "dev", "rights": ["view", "promote"]}]}
    api.on("GET me/", me)
    out = run("whoami").out
    assert "ci at http://127.0.0.1" in out
    assert "view, promote" in out
