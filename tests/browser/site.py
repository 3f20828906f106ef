"""The running product as a script sees it: its accounts, its API, its gateway."""

from __future__ import annotations

import http.client
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from samples.build import build

PATIENCE = 60.0
"""Seconds that something which RelMan does by itself may take, on a busy machine."""


@dataclass(frozen=True)
class Account:
    """One account of the demo."""

    username: str
    password: str
    token: str


@dataclass
class Site:
    """One RelMan with the demo's data."""

    home: Path
    port: int
    gateway_port: int
    accounts: dict[str, Account] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = json.loads((self.home / "demo-accounts.json").read_text())
        self.accounts = {row["username"]: Account(**row) for row in rows}

    @property
    def url(self) -> str:
        """The product's own address."""
        return f"http://localhost:{self.port}"

    def address(self, application: str, phase: str) -> str:
        """Where an application is served."""
        return f"http://{application}.{phase}.localhost:{self.gateway_port}/"

    def call(self, who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request to the API: its status, and what it answered."""
        data = None if body is None else json.dumps(body).encode()
        return self._send(who, method, path, data, "application/json")

    def ask(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """As `call`, for what must work."""
        status, answer = self.call(who, method, path, body)
        assert status < 400, f"{method} {path} as {who}: {status} {answer}"
        return answer

    def _send(self, who: str, method: str, path: str, data: bytes | None, kind: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.accounts[who].token}", "Content-Type": kind}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, f"/api/v1/{path}", data, {**headers, "Host": f"localhost:{self.port}"})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(text) if text else None

    def publish(self, application: str, version: str, archive: Path, **fields: str) -> None:
        """As a build does."""
        line = uuid.uuid4().hex
        parts = [
            f'--{line}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
            for name, text in {"version": version, **fields}.items()
        ]
        head = f'--{line}\r\nContent-Disposition: form-data; name="artifact"; filename="{archive.name}"\r\n\r\n'
        data = b"".join([*parts, head.encode(), archive.read_bytes(), f"\r\n--{line}--\r\n".encode()])
        path = f"applications/{application}/releases/"
        status, answer = self._send("ci-robot", "POST", path, data, f"multipart/form-data; boundary={line}")
        assert status == 201, answer

    def promote(self, who: str, application: str, version: str, phase: str, **more: str) -> int:
        """Ask for a promotion: its number."""
        wish = {"application": application, "version": version, "phase": phase, **more}
        return int(self.ask(who, "POST", "promotions/", wish)["id"])

    def promotion(self, number: int) -> Any:
        """One promotion as the API tells it."""
        return self.ask("release-manager", "GET", f"promotions/{number}/")

    def bring(self, application: str, version: str, *phases: str) -> int:
        """Take a release into these phases, to the end: the last promotion's number."""
        number = 0
        for phase in phases:
            number = self.promote("developer" if phase == "dev" else "qa-engineer", application, version, phase)
            self.await_end(number, "succeeded")
        return number

    def await_end(self, number: int, status: str) -> None:
        """Until a promotion has come to that end."""
        until(lambda: self.promotion(number)["status"] == status, f"promotion {number} has {status}")

    def waiting(self, application: str, phase: str) -> int:
        """The promotion that waits there."""
        rows = self.ask("release-manager", "GET", f"promotions/?application={application}&phase={phase}")
        return next(int(row["id"]) for row in rows["results"] if row["status"] == "waiting")

    def serves(self, application: str, phase: str, path: str = "version") -> str:
        """What the gateway answers to the release manager's token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway_port, timeout=60)
        headers = {
            "Host": f"{application}.{phase}.localhost:{self.gateway_port}",
            "RelMan-Token": self.accounts["release-manager"].token,
        }
        try:
            connection.request("GET", f"/{path}", headers=headers)
            return connection.getresponse().read().decode().strip()
        finally:
            connection.close()


def until(what: Callable[[], bool], why: str, seconds: float = PATIENCE) -> None:
    """Wait for something that RelMan does by itself."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"Not within {seconds:.0f} s: {why}"
        time.sleep(0.2)


def archive(folder: Path, sample: str, version: str, facts: Mapping[str, str] | None = None) -> Path:
    """A sample's archive in that version."""
    return build(sample, version, folder / f"{sample}-{version}.tar.gz", **(facts or {}))
