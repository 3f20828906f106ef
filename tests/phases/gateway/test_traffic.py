"""Streams, switches under load, and RelMan's own look through the gateway."""

from __future__ import annotations

import itertools
import os
import re
import socket
import threading
import time

import pytest

from phases.gateway import probe
from phases.gateway.routes import Route
from tests.phases.gatehouse import HTML, LIVE, QA, Backend, Gatehouse, Load, saying


def test_a_websocket_passes_in_both_directions(house: Gatehouse, relman: Backend) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        echo = threading.Thread(target=_echo, args=(listener,), daemon=True)
        echo.start()
        server_slots(house, 7, port)
        with socket.create_connection(("127.0.0.1", house.place.port), timeout=60) as line:
            line.sendall(
                f"GET /socket HTTP/1.1\r\nHost: {QA.host}\r\nRelMan-Token: good\r\nConnection: Upgrade\r\n"
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            head = _until(line, b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101")
            line.sendall(b"ping")
            assert _until(line, b"gnip") == b"gnip"
            house.sync(QA, LIVE, Route(9, "other.live.localhost", public=True))
            line.sendall(b"pong")
            assert _until(line, b"gnop") == b"gnop"
        echo.join(5)
    assert not relman.seen[-1].names() & {"upgrade", "sec-websocket-key"}


@pytest.mark.parametrize(
    "upgrade",
    ["Upgrade: h2c", "upgrade: H2C", "Upgrade: h2c\r\nUpgrade: websocket", "Upgrade: websocket\r\nUpgrade: h2c",
     "Upgrade: websocket, h2c", "Upgrade: tls/1.0"],
)  # fmt: skip
def test_no_other_tunnel_is_opened(house: Gatehouse, shop: Backend, upgrade: str) -> None:
    house.switch(8, shop)
    answer = house.raw(
        f"GET / HTTP/1.1\r\nHost: {LIVE.host}\r\nConnection: Upgrade, HTTP2-Settings, close\r\n{upgrade}\r\n"
        "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
    )
    assert answer.startswith("HTTP/1.1 200")
    assert not shop.seen[-1].names() & {"upgrade", "http2-settings"}


def _echo(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        _until(connection, b"\r\n\r\n")
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        while piece := connection.recv(100):
            connection.sendall(piece[::-1])


def _until(line: socket.socket, end: bytes) -> bytes:
    got = b""
    while not got.endswith(end):
        piece = line.recv(1)
        assert piece, got
        got += piece
    return got


def server_slots(house: Gatehouse, environment: int, port: int) -> None:
    from phases.gateway import slots

    slots.switch(house.place.folder, environment, [f"127.0.0.1:{port}"])


def test_a_stream_arrives_piece_by_piece(house: Gatehouse) -> None:
    go_on = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def stream() -> None:
            connection, _ = listener.accept()
            with connection:
                _until(connection, b"\r\n\r\n")
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
                connection.sendall(b"5\r\nfirst\r\n")
                go_on.wait(60)
                connection.sendall(b"4\r\nlast\r\n0\r\n\r\n")

        thread = threading.Thread(target=stream, daemon=True)
        thread.start()
        server_slots(house, 8, listener.getsockname()[1])
        with socket.create_connection(("127.0.0.1", house.place.port), timeout=60) as line:
            line.sendall(f"GET / HTTP/1.1\r\nHost: {LIVE.host}\r\n\r\n".encode())
            assert b"200 OK" in _until(line, b"first")
            go_on.set()
            _until(line, b"last\r\n0\r\n\r\n")
        thread.join(5)


def test_instances_take_turns(house: Gatehouse) -> None:
    three = [saying(name) for name in "abc"]
    house.switch(8, *three)
    answers = [house.ask(LIVE.host).text for _ in range(24)]
    assert {name: answers.count(name) for name in "abc"} == {"a": 8, "b": 8, "c": 8}
    for backend in three:
        backend.stop()


def test_a_dead_instance_is_passed_over(house: Gatehouse, shop: Backend) -> None:
    dead = saying("dead")
    dead.stop()
    house.switch(8, dead, shop)
    assert [house.ask(LIVE.host, method="POST", body="x").text for _ in range(6)] == ["shop"] * 6


def test_an_application_that_is_down_is_a_page(house: Gatehouse) -> None:
    dead = saying("dead")
    dead.stop()
    house.switch(8, dead)
    reply = house.ask(LIVE.host, Accept=HTML)
    assert reply.status == 502 and "The application does not answer" in reply.text
    assert reply.headers["RelMan-Gateway"] == "application-down"


@pytest.mark.parametrize("keep", [True, False], ids=["kept connections", "new connections"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_switching_under_a_steady_load_loses_no_request(house: Gatehouse, keep: bool, method: str) -> None:
    old, new = saying("old"), saying("new")
    old.remember = new.remember = False
    house.switch(8, old)
    with Load(house.place.port, LIVE.host, clients=4, keep=keep, method=method) as load:
        end = time.monotonic() + 60
        for number in itertools.count():
            house.switch(8, *([new], [old], [old, new])[number % 3])
            time.sleep(0.02)
            busy = min(load.served.get("old", 0), load.served.get("new", 0)) > 20
            if (number >= 60 and busy) or time.monotonic() > end:
                break
    assert load.lost == []
    assert busy, f"too few were served in a minute: {load.served}"
    old.stop()
    new.stop()


def test_after_a_switch_the_old_instance_is_asked_no_more(house: Gatehouse) -> None:
    old, new = saying("old"), saying("new")
    house.switch(8, old)
    assert house.ask(LIVE.host).text == "old"
    house.switch(8, new)
    assert [house.ask(LIVE.host).text for _ in range(15)] == ["new"] * 15
    old.stop()
    new.stop()


def test_a_look_says_what_the_address_answers(house: Gatehouse, shop: Backend) -> None:
    house.switch(8, shop)
    seen = probe.check(house.place, LIVE, "/version")
    assert seen.good and (seen.status, seen.text) == (200, "shop") and seen.ms >= 0
    assert re.fullmatch(r"shop\.live\.localhost answered 200 in \d+ ms: the application answered\.", seen.sentence)
    assert shop.seen[-1].path == "/version"
    assert "relman-check" not in shop.seen[-1].names()


def test_a_look_at_nothing_says_so(house: Gatehouse) -> None:
    seen = probe.check(house.place, LIVE)
    assert not seen.good and seen.gateway == "nothing-live" and seen.status == 503


def test_a_look_carries_a_pass_for_one_environment(house: Gatehouse, relman: Backend, shop: Backend) -> None:
    house.switch(7, shop)
    probe.check(house.place, QA)
    (given,) = relman.seen[-1].all("RelMan-Check")
    assert probe.valid(house.place, 7, given)
    assert not probe.valid(house.place, 8, given)
    assert not probe.valid(house.place, 7, given, now=time.time() + probe.LIFETIME + 2)
    assert not probe.valid(house.place, 7, given, now=time.time() - 3600)


@pytest.mark.parametrize("given", ["", ".", "x.y", "99999999999.00", "-1.x", "٣٣٣.x", "1e9.x", "9" * 400 + ".x"])
def test_a_made_up_pass_is_none(house: Gatehouse, given: str) -> None:
    assert not probe.valid(house.place, 7, given)


def test_the_key_is_private_and_stays(house: Gatehouse) -> None:
    first = probe.key(house.place)
    assert len(first) == 32 and probe.key(house.place) == first
    assert os.stat(house.place.key_file).st_mode & 0o077 == 0


def test_a_look_ends_at_its_limit(house: Gatehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "LIMIT", 0.6)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                for _ in range(600):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return
                    time.sleep(0.1)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        server_slots(house, 8, listener.getsockname()[1])
        started = time.monotonic()
        probe.check(house.place, LIVE)
        assert time.monotonic() - started < 40  # the drip itself takes a minute
    thread.join(60)
