"""The command against a real HTTP server on this machine; no database, no Django."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from relman.cli import main
from tests.cli.server import Api, serving


@dataclass
class Ran:
    """How a call of the command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def api() -> Iterator[Api]:
    """The server, without answers yet."""
    with serving() as api:
        yield api


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits of the command, in seconds; they are noted and not waited."""
    noted: list[float] = []
    for module in ("client", "follow"):
        monkeypatch.setattr(f"relman.cli.{module}.sleep", noted.append)
    monkeypatch.setattr("relman.cli.follow.monotonic", lambda: sum(noted))
    return noted


@pytest.fixture
def run(api: Api, pauses: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command as a person would, signed in at the server."""
    for name in ("RELMAN_TOKEN_FILE", "NO_COLOR", "HTTP_PROXY", "http_proxy", "SOURCE_DATE_EPOCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RELMAN_URL", api.url)
    monkeypatch.setenv("RELMAN_TOKEN", "rm_secret")
    monkeypatch.setenv("TZ", "UTC")

    def call(*argv: str) -> Ran:
        capsys.readouterr()
        try:
            code = main(argv)
        except SystemExit as stop:
            code = int(stop.code or 0)
        return Ran(code, *capsys.readouterr())

    return call
