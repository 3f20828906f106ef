"""A health check ends at its limit, whatever the application answers."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from phases.drivers.base import Instance, Probe, Target
from phases.drivers.local import health
from phases.drivers.local.instances import Record
from phases.drivers.local.layout import Place

MANIFEST = {"run": {"health": "/healthz", "version": "/version"}}
Talk = Callable[[socket.socket], None]


@pytest.fixture
def answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Talk], Callable[[float], Probe]]]:
    """Serve with a function that talks on the raw socket; gives a function that inspects."""
    monkeypatch.setattr("phases.drivers.local.instances.listens", lambda place, record: True)
    servers: list[socket.socket] = []

    def serve(talk: Talk) -> Callable[[float], Probe]:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        threading.Thread(target=_accept, args=(server, talk), daemon=True).start()
        port = server.getsockname()[1]
        record = Record("e1-p1-1", 1, "1.0", port, "", "", "", {}, None, None)
        instance = Instance("e1-p1-1", 1, "1.0", port, os.getpid(), "running", time.time())
        place = Place(tmp_path, tmp_path)
        return lambda seconds: health.inspect(Target(1, "shop", "qa"), place, record, instance, MANIFEST, seconds)

    yield serve
    for server in servers:
        server.close()


def _accept(server: socket.socket, talk: Talk) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_talk, args=(connection, talk), daemon=True).start()


def _talk(connection: socket.socket, talk: Talk) -> None:
    with connection, contextlib.suppress(OSError):
        talk(connection)


def says(*parts: bytes, pause: float = 0.0) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)

    return talk


OK = b"HTTP/1.1 200 OK\r\n"
SLOW = 60.0
"""Seconds that the slow ones would take: far from what a busy machine may add to a limit."""
DRIPS = int(SLOW / 0.1)
BAD: dict[str, tuple[Talk, str]] = {
    "hangs": (lambda connection: time.sleep(SLOW), "did not answer in time"),
    "hangs in the headers": (says(OK, b"X-A: ", *[b"a"] * DRIPS, pause=0.1), "did not answer in time"),
    "drips": (says(OK + b"Content-Length: 9999\r\n\r\n", *[b"x"] * DRIPS, pause=0.1), "did not answer in time"),
    "never ends": (says(OK + b"Transfer-Encoding: chunked\r\n\r\n", *[b"1\r\nx\r\n"] * DRIPS, pause=0.1), "in time"),
    "gigabytes": (says(OK + b"\r\n", *[b"x" * 65536] * 2000), "more than 64 KiB"),
    "gigabytes promised": (says(OK + b"Content-Length: 9999999999\r\n\r\n", *[b"x" * 65536] * 99), "more than 64 KiB"),
    "endless headers": (says(OK, *[b"X-A: b\r\n"] * 5000), "no proper answer"),
    "500": (says(b"HTTP/1.1 500 Oh\r\n\r\n"), "answered 500"),
    "redirect to itself": (says(b"HTTP/1.1 302 Found\r\nLocation: /healthz\r\n\r\n"), "answered 302"),
    "nonsense": (says(b"SSH-2.0-OpenSSH\r\n"), "no proper answer"),
    "closes": (says(), "no proper answer"),
    "negative length": (says(OK + b"Content-Length: -1\r\n\r\n", *[b"x" * 65536] * 9), ""),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_answer_ends_at_its_limit(answering: Callable[[Talk], Callable[[float], Probe]], case: str) -> None:
    talk, sentence = BAD[case]
    limit = 0.5 if "in time" in sentence else 30.0  # what is answered at once gets the time of a busy machine
    began = time.monotonic()
    probe = answering(talk)(limit)
    assert time.monotonic() - began < SLOW - 10  # each of those that take their time would take that long
    assert not probe.healthy and not probe.exited
    assert sentence in probe.sentence
    assert probe.sentence.endswith(".")


def test_health_and_version_share_one_limit(
    answering: Callable[[Talk], Callable[[float], Probe]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[float] = []
    get = health._get

    def noted(port: int, host: str, path: str, deadline: float) -> tuple[int, bytes]:
        ends.append(deadline)
        return get(port, host, path, deadline)

    monkeypatch.setattr(health, "_get", noted)
    began = time.monotonic()
    assert answering(says(OK + b"Content-Length: 3\r\n\r\n1.0"))(30.0).version == "1.0"
    assert len(ends) == 2 and ends[0] == ends[1] <= time.monotonic() + 30
    assert ends[0] >= began + 30

    def late(connection: socket.socket) -> None:
        if b"/version" in connection.recv(4096):
            time.sleep(SLOW)
        connection.sendall(OK + b"Content-Length: 3\r\n\r\n1.0")

    began = time.monotonic()
    assert "/version did not answer in time" in answering(late)(3.0).sentence
    assert time.monotonic() - began < SLOW - 10


def test_the_version_is_plain_text_and_the_host_is_the_environments(
    answering: Callable[[Talk], Callable[[float], Probe]],
) -> None:
    asked: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        asked.append(connection.recv(4096))
        body = b"  1.2.3\x1b[31m\x07\n"
        connection.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    probe = answering(talk)(30.0)
    assert (probe.healthy, probe.version, probe.sentence) == (True, "1.2.3", "Answered 200.")
    assert asked[0].startswith(b"GET /healthz HTTP/1.1\r\n")
    assert b"\r\nHost: shop.qa.localhost\r\n" in asked[0]
