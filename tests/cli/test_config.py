"""Configuration: values on the command line, secrets by stdin only."""

from __future__ import annotations

import io

import pytest

from relman.cli import exits
from tests.cli.conftest import Run
from tests.cli.server import Api

PLACE = "environments/shop/live/configuration/"
VALUES = {
    "values": [
        {"key": "GREETING", "value": "Hello", "secret": False, "set": True, "updated_at": "2026-01-01T12:00:00Z"},
        {"key": "PASSWORD", "value": None, "secret": True, "set": True, "updated_at": "2026-01-01T12:00:00Z"},
        {"key": "MISSING", "value": None, "secret": False, "set": False, "updated_at": None},
    ]
}


def test_get_shows_all_and_no_secret(run: Run, api: Api) -> None:
    api.on(f"GET {PLACE}", VALUES)
    out = run("config", "get", "shop", "live").out
    assert "Hello" in out
    assert "(secret)" in out
    assert "(not set)" in out


def test_get_one_prints_the_bare_value(run: Run, api: Api) -> None:
    api.on(f"GET {PLACE}", VALUES)
    assert run("config", "get", "shop", "live", "GREETING").out == "Hello\n"
    assert run("config", "get", "shop", "live", "PASSWORD").code == exits.FORBIDDEN
    assert run("config", "get", "shop", "live", "MISSING").code == exits.NOT_FOUND
    assert run("config", "get", "shop", "live", "OTHER").code == exits.NOT_FOUND


def test_set_and_remove_in_one_request(run: Run, api: Api) -> None:
    api.on(f"PUT {PLACE}", VALUES)
    assert run("config", "set", "shop", "live", "A=1", "B=x=y", "--remove", "C").code == 0
    assert api.asked[0].body == {"values": {"A": "1", "B": "x=y", "C": None}}


def test_a_secret_comes_from_stdin(run: Run, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("tr0ub4dor\n"))
    api.on(f"PUT {PLACE}", VALUES)
    ran = run("config", "set", "shop", "live", "--secret", "PASSWORD")
    assert api.asked[0].body == {"values": {"PASSWORD": {"secret": "tr0ub4dor"}}}
    assert "tr0ub4dor" not in ran.out + ran.err


@pytest.mark.parametrize("words", [[], ["A"], ["=1"], ["A=1", "--remove", "A"], ["--secret", "EMPTY"]])
def test_what_cannot_be_set_is_refused_here(
    run: Run, api: Api, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run("config", "set", "shop", "live", *words).code == exits.USAGE
    assert api.asked == []
