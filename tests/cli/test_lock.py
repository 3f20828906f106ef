"""Locks, from the command line."""

from __future__ import annotations

import pytest

from relman.cli import exits
from tests.cli.conftest import Run
from tests.cli.server import Api

LOCK = {"reason": "Stocktaking", "by": None, "at": "2026-11-23T20:00:00Z", "until": None, "released_at": None,
        "released_by": None}  # fmt: skip
PLACES = [
    (("shop", "live"), "environments/shop/live/", "shop in live"),
    (("till/live",), "pipelines/till/phases/live/", "All of live"),
]


@pytest.mark.parametrize(("words", "address", "named"), PLACES)
def test_a_place_is_locked_and_let_go(run: Run, api: Api, words: tuple[str, ...], address: str, named: str) -> None:
    api.on(f"POST {address}lock/", LOCK, status=201)
    ran = run("lock", *words, "--reason", "Stocktaking")
    assert (ran.code, ran.out) == (exits.OK, f"{named} is locked: Stocktaking\n")
    assert api.asked[-1].body == {"reason": "Stocktaking"}
    assert run("lock", "--reason", "Stocktaking", *words, "--json").json == LOCK
    api.on(f"POST {address}unlock/", {**LOCK, "released_at": "2026-11-23T21:00:00Z"})
    ran = run("unlock", *words)
    assert ran.code == exits.OK and f"{named} is no longer locked" in ran.out


def test_a_lock_may_end_by_itself(run: Run, api: Api) -> None:
    api.on("POST environments/shop/live/lock/", {**LOCK, "until": "2026-12-24T17:00:00Z"}, status=201)
    ran = run("lock", "shop", "live", "--reason", "Stocktaking", "--until", "2026-12-24T18:00+01:00")
    assert api.asked[-1].body == {"reason": "Stocktaking", "until": "2026-12-24T18:00:00+01:00"}
    assert ran.code == exits.OK and "shop in live is locked until 2026-12-24 " in ran.out
    assert run("lock", "shop", "live", "--reason", "x", "--until", "tomorrow").code == exits.USAGE


@pytest.mark.parametrize("words", [("lock", "shop", "live"), ("lock", "shop", "--reason", "x"), ("unlock", "/live")])
def test_without_a_reason_or_a_place_nothing_is_asked(run: Run, api: Api, words: tuple[str, ...]) -> None:
    assert run(*words).code == exits.USAGE
    assert api.asked == []
