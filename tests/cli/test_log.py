"""A promotion's log: once, as it grows, over outages, and harmless for the terminal."""

from __future__ import annotations

import json
from typing import Any

from relman.cli import exits
from tests.cli.conftest import Run
from tests.cli.server import Api

LOG = "GET promotions/7/log/"


def page(*numbers: int, complete: bool = False, more: Any = None) -> dict[str, Any]:
    """One page of a log."""
    lines = [
        {"n": n, "step": "unpack", "at": "2026-01-01T12:00:00Z", "level": "info", "text": f"line {n}"} for n in numbers
    ]
    return {"results": lines, "next": more, "complete": complete}


def test_once_it_prints_what_is_there(run: Run, api: Api) -> None:
    api.on(LOG, page(1, 2))
    ran = run("log", "7")
    assert ran.code == 0
    assert [line.rpartition("  ")[2] for line in ran.out.splitlines()] == ["[unpack] line 1", "[unpack] line 2"]
    assert len(api.asked) == 1


def test_all_pages_are_read(run: Run, api: Api) -> None:
    api.on(LOG, page(1, 2, more="/api/v1/promotions/7/log/?after=2"))
    api.on(LOG, page(3, complete=True))
    assert run("log", "7").out.count("line") == 3
    assert api.asked[1].path.endswith("?after=2")


def test_follow_goes_on_until_it_is_complete(run: Run, api: Api) -> None:
    api.on(LOG, page(1))
    api.on(LOG, page())
    api.on(LOG, b"", status=502)
    api.on(LOG, page(2, 3))
    api.on(LOG, page(complete=True))
    ran = run("log", "7", "--follow", "--json")
    assert [json.loads(line)["n"] for line in ran.out.splitlines()] == [1, 2, 3]
    assert ran.code == 0


def test_no_line_comes_twice_after_an_outage_between_two_pages(run: Run, api: Api) -> None:
    api.on(LOG, page(1, more="/api/v1/promotions/7/log/?after=1"))
    for _ in range(5):
        api.on(LOG, b"", status=503)
    api.on(LOG, page(2, complete=True))
    assert run("log", "7", "-f").out.count("line 1") == 1


def test_follow_ends_with_the_time(run: Run, api: Api) -> None:
    api.on(LOG, page())
    assert run("log", "7", "-f", "--timeout", "30").code == exits.TIMEOUT
    assert len(api.asked) < 30


def test_a_log_line_cannot_steer_the_terminal(run: Run, api: Api) -> None:
    evil = page(1)
    evil["results"][0]["text"] = "\x1b]0;title\x07 \x1b[2J red"
    api.on(LOG, evil)
    out = run("log", "7").out
    assert "\x1b" not in out
    assert "red" in out
