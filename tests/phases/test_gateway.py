"""The gateway as a real Caddy: addresses, doors, what reaches an application and what never does."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from phases.gateway import probe, server
from phases.gateway.errors import GatewayError, Unreachable
from phases.gateway.pages import POLICY, page
from phases.gateway.place import SOCKET_MAX, Place
from phases.gateway.routes import Route, configuration
from tests.phases.gatehouse import Backend, Gatehouse, Load, Seen, doorkeeper, free_port, saying

QA = Route(7, "shop.qa.localhost", public=False)
LIVE = Route(8, "shop.live.localhost", public=True)
HTML = "text/html,application/xhtml+xml"


@pytest.fixture(scope="module")
def relman() -> Iterator[Backend]:
    door = doorkeeper()
    yield door
    door.stop()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, relman: Backend) -> Iterator[Gatehouse]:
    house = Gatehouse(tmp_path_factory.mktemp("home"), relman.port)
    house.start()
    yield house
    house.kill()


@pytest.fixture
def house(running: Gatehouse, relman: Backend) -> Gatehouse:
    running.sync(QA, LIVE)
    running.switch(7)
    running.switch(8)
    relman.seen.clear()
    return running


@pytest.fixture
def shop() -> Iterator[Backend]:
    backend = saying("shop")
    yield backend
    backend.stop()


# Addresses


def test_an_unknown_address_is_a_page_that_says_so(house: Gatehouse) -> None:
    browser = house.ask("nobody.qa.localhost", Accept=HTML)
    assert browser.status == 404
    assert "No environment has this address." in browser.text and browser.text.startswith("<!doctype html>")
    script = house.ask("nobody.qa.localhost")
    assert script.status == 404 and script.text.startswith("There is nothing here.")
    assert script.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("host", ["localhost", "qa.localhost", "x.shop.qa.localhost", "shop.qa.localhost.evil.com", ""])
def test_only_whole_names_are_addresses(house: Gatehouse, shop: Backend, host: str) -> None:
    house.switch(8, shop)
    assert house.ask(host, RelMan_Token="good").status in (400, 404)
    assert not shop.seen


def test_names_have_no_case_and_any_port(house: Gatehouse, shop: Backend) -> None:
    house.switch(8, shop)
    assert house.ask("SHOP.Live.LocalHost:1234").text == "shop"


def test_an_environment_with_nothing_live_says_so(house: Gatehouse) -> None:
    browser = house.ask(LIVE.host, Accept=HTML)
    assert browser.status == 503
    assert "Nothing runs in live yet" in browser.text
    assert browser.headers["RelMan-Gateway"] == "nothing-live"


def test_nothing_live_is_told_only_to_those_who_may_pass(house: Gatehouse) -> None:
    assert house.ask(QA.host).status == 401
    assert house.ask(QA.host, RelMan_Token="good").status == 503


def test_a_page_is_whole_and_its_style_allowed(house: Gatehouse) -> None:
    reply = house.ask("nobody.qa.localhost", Accept=HTML)
    assert reply.text == page("There is nothing here", "No environment has this address.")
    assert reply.headers["Content-Security-Policy"] == POLICY
    style = re.search(r"<style>(.*)</style>", reply.text)
    assert style
    assert base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() in POLICY


def test_hosts_that_could_carry_a_placeholder_are_refused() -> None:
    for host in [
        "{env.HOME}.qa.localhost",
        "shop.qa.example.com",
        "a b.qa.localhost",
        "Shop.qa.localhost",
        "-a.b.localhost",
    ]:
        with pytest.raises(GatewayError):
            Route(9, host, public=True)


# Doors


def test_a_private_phase_asks_relman_about_every_request(house: Gatehouse, relman: Backend, shop: Backend) -> None:
    house.switch(7, shop)
    assert house.ask(QA.host).status == 401
    for _ in range(3):
        assert house.ask(QA.host, "/a?b=c", RelMan_Token="good").text == "shop"
    assert [seen.path for seen in relman.seen] == ["/_gate/verify/7"] * 4
    assert len(shop.seen) == 3


def test_a_public_phase_asks_nobody(house: Gatehouse, relman: Backend, shop: Backend) -> None:
    house.switch(8, shop)
    assert house.ask(LIVE.host).text == "shop"
    assert not relman.seen


def test_the_door_keepers_refusal_is_the_answer(house: Gatehouse, shop: Backend) -> None:
    house.switch(7, shop)
    reply = house.ask(QA.host, RelMan_Token="bad")
    assert (reply.status, reply.text, reply.headers["WWW-Authenticate"]) == (401, "no", "Bearer")
    assert not shop.seen


def test_relman_is_told_little_about_the_request(house: Gatehouse, relman: Backend, shop: Backend) -> None:
    house.switch(7, shop)
    cookie = f"mine=1; relman_pass_{house.place.port}=good; other=2"
    reply = house.ask(
        QA.host, "/a/b?c=d", method="POST", body="the body", Cookie=cookie, X_Forwarded_Host="other.live.localhost",
        X_Forwarded_Uri="/forged", X_Forwarded_For="9.9.9.9", Authorization="Basic eA==",
    )  # fmt: skip
    assert reply.text == "shop"
    (asked,) = relman.seen
    assert (asked.method, asked.body) == ("GET", b"")
    assert asked.all("Cookie") == [f"relman_pass_{house.place.port}=good"]
    assert asked.all("X-Forwarded-Uri") == ["/a/b?c=d"]
    assert asked.all("X-Forwarded-Method") == ["POST"]
    assert asked.all("X-Forwarded-For") == ["127.0.0.1"]
    assert asked.all("Host") == [f"localhost:{relman.port}"]
    assert not asked.names() & {"authorization", "x-forwarded-host", "content-length"}
    (got,) = shop.seen
    assert (got.method, got.path, got.body) == ("POST", "/a/b?c=d", b"the body")
    assert got.all("Authorization") == ["Basic eA=="]
    assert got.all("Cookie") == ["mine=1; other=2"]


def test_who_passed_is_told_to_the_application_and_cannot_be_forged(house: Gatehouse, shop: Backend) -> None:
    house.switch(7, shop)
    forged = {"RelMan_User": "root", "RelMan_Via": "page", "RelMan_Roles": "all", "X_RelMan_User": "root"}
    assert house.ask(QA.host, RelMan_Token="good", **forged).status == 200
    (got,) = shop.seen
    assert got.all("RelMan-User") == ["jane"] and got.all("RelMan-Via") == ["token"]
    assert not got.names() & {"relman-roles", "relman-token", "relman-check", "x-relman-user"}


def test_an_identity_that_relman_leaves_out_is_empty_and_not_the_clients(house: Gatehouse, shop: Backend) -> None:
    silent = Backend(lambda seen: (204, {}, b""))
    other = Gatehouse(house.home / "silent", silent.port)
    other.home.mkdir(exist_ok=True)
    try:
        other.start()
        other.sync(QA)
        other.switch(7, shop)
        assert other.ask(QA.host, RelMan_User="root").status == 200
        assert shop.seen[-1].all("RelMan-User") in ([""], [])
    finally:
        other.kill()
        silent.stop()


def test_identity_survives_a_hop_by_hop_trick(house: Gatehouse, shop: Backend) -> None:
    house.switch(7, shop)
    house.ask(QA.host, RelMan_Token="good", Connection="close, RelMan-User, RelMan-Via, X-Forwarded-For")
    assert shop.seen[-1].all("RelMan-User") == ["jane"]
    assert shop.seen[-1].all("X-Forwarded-For") == ["127.0.0.1"]


def test_a_token_in_a_hop_by_hop_header_still_does_not_pass_by(house: Gatehouse, shop: Backend) -> None:
    house.switch(7, shop)
    assert house.ask(QA.host, Connection="close, RelMan-Token", RelMan_Token="bad").status == 401


def test_relman_down_lets_nobody_in(tmp_path: Path, shop: Backend) -> None:
    house = Gatehouse(tmp_path, free_port())
    try:
        house.start()
        house.sync(QA, LIVE)
        house.switch(7, shop)
        house.switch(8, shop)
        browser = house.ask(QA.host, RelMan_Token="good", Accept=HTML)
        assert browser.status == 503 and "RelMan does not answer" in browser.text
        assert browser.headers["RelMan-Gateway"] == "relman-down"
        assert not shop.seen
        assert house.ask(LIVE.host).text == "shop"
    finally:
        house.kill()


def test_a_short_absence_of_relman_is_a_pause(tmp_path: Path, shop: Backend) -> None:
    port = free_port()
    house = Gatehouse(tmp_path, port)
    later: list[Backend] = []
    timer = threading.Timer(1.0, lambda: later.append(Backend(doorkeeper_answer, port=port)))
    try:
        house.start()
        house.sync(QA)
        house.switch(7, shop)
        timer.start()
        assert house.ask(QA.host, RelMan_Token="good").text == "shop"
    finally:
        timer.join()
        house.kill()
        for backend in later:
            backend.stop()


def doorkeeper_answer(seen: Seen) -> tuple[int, dict[str, str], bytes]:
    return 200, {"RelMan-User": "jane", "RelMan-Via": "token"}, b""


@pytest.mark.parametrize("status", [300, 302, 400, 403, 404, 429, 500, 503])
def test_only_a_yes_is_a_yes(
    tmp_path_factory: pytest.TempPathFactory, house: Gatehouse, shop: Backend, status: int
) -> None:
    original = shop.answer
    odd = Gatehouse(tmp_path_factory.mktemp("odd"), shop.port)
    try:
        odd.start()
        odd.sync(QA)
        odd.switch(7, shop)
        shop.answer = lambda seen: (status, {}, b"odd")
        assert odd.ask(QA.host).status == status
        assert {seen.path for seen in shop.seen} == {"/_gate/verify/7"}
    finally:
        shop.answer = original
        odd.kill()


# What reaches the application


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        ("a=1", ["a=1"]),
        ("a=1; relman_session_8000=s; b=2", ["a=1; b=2"]),
        ("relman_session_8000=s; a=1", ["a=1"]),
        ("a=1; relman_csrf_8000=s", ["a=1"]),
        ("relman_session_8000=s", []),
        ("relman_session_1=s; relman_csrf_1=c; relman_pass_2=p; relman_session_3=s; relman_pass_4=x; a=1", ["a=1"]),
        ("a=1;relman_pass_8080=p;b=2", ["a=1;b=2"]),
        ("a=1;  relman_pass_8080 = p; b=2", ["a=1; b=2"]),
        ("my_relman_session_8000=1; relman_session=2; relman_session_x=3; xrelman_pass_1=4",
         ["my_relman_session_8000=1; relman_session=2; relman_session_x=3; xrelman_pass_1=4"]),
        ('a="x y"; relman_pass_1=p; b=c=d%20e', ['a="x y"; b=c=d%20e']),
    ],
)  # fmt: skip
@pytest.mark.parametrize("route", [QA, LIVE], ids=["private", "public"])
def test_relmans_cookies_stay_behind_and_all_others_arrive(
    house: Gatehouse, shop: Backend, route: Route, sent: str, arrives: list[str]
) -> None:
    house.switch(route.environment, shop)
    assert house.ask(route.host, Cookie=sent, RelMan_Token="good").status == 200
    assert shop.seen[-1].all("Cookie") == arrives


def test_several_cookie_lines_are_all_cleaned(house: Gatehouse, shop: Backend) -> None:
    house.switch(8, shop)
    house.raw(
        f"GET / HTTP/1.1\r\nHost: {LIVE.host}\r\nCookie: a=1; relman_session_1=s\r\nCookie: relman_pass_1=p; b=2\r\n"
        "Connection: close\r\n\r\n"
    )
    assert "; ".join(shop.seen[-1].all("Cookie")) == "a=1; b=2"


FORGED = [
    "RelMan-User: root", "RELMAN-USER: root", "relman_user: root", "Relman-Anything: x", "RelMan-Token: secret",
    "RelMan-Check: secret", "X-RelMan-User: root", "X_RelMan_User: root", "Remote-User: root", "REMOTE_USER: root",
    "X-Remote-User: root", "X-Forwarded-User: root", "X_Forwarded_For: 9.9.9.9", "X-Forwarded-Prefix: /x",
    "X-Forwarded-Port: 1", "X-Forwarded-Server: x", "Forwarded: for=9.9.9.9;host=evil", "X-Real-IP: 9.9.9.9",
    "X-Client-IP: 9.9.9.9", "True-Client-IP: 9.9.9.9", "X-Original-URL: /admin", "X-Rewrite-URL: /admin",
    "X-Host: evil",
]  # fmt: skip


@pytest.mark.parametrize("line", FORGED)
@pytest.mark.parametrize("route", [QA, LIVE], ids=["private", "public"])
def test_forged_headers_never_arrive(house: Gatehouse, shop: Backend, route: Route, line: str) -> None:
    house.switch(route.environment, shop)
    name, _, value = line.partition(": ")
    key = "good" if name != "RelMan-Token" or not route.public else "secret"
    extra = "" if name == "RelMan-Token" else f"{line}\r\n"
    head = f"GET / HTTP/1.1\r\nHost: {route.host}\r\nRelMan-Token: {key}\r\n"
    house.raw(f"{head}{extra}X-Mine: kept\r\nConnection: close\r\n\r\n")
    got = shop.seen[-1]
    told = {"relman-user", "relman-via"} if not route.public else set()
    assert {found for found in got.names() if "relman" in found} == told
    assert value not in got.all(name)
    assert got.all("X-Mine") == ["kept"]


def test_forwarding_headers_are_the_gateways_own(house: Gatehouse, shop: Backend) -> None:
    house.switch(8, shop)
    house.ask(
        LIVE.host, X_Forwarded_For="9.9.9.9", X_Forwarded_Host="evil.example", X_Forwarded_Proto="https",
    )  # fmt: skip
    got = shop.seen[-1]
    assert got.all("X-Forwarded-For") == ["127.0.0.1"]
    assert got.all("X-Forwarded-Host") == [LIVE.host]
    assert got.all("X-Forwarded-Proto") == ["http"]
    assert got.all("Host") == [LIVE.host]


def test_a_forged_host_header_asks_about_the_real_environment(house: Gatehouse, relman: Backend, shop: Backend) -> None:
    house.switch(7, shop)
    for name in ("X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-Host"):
        house.raw(f"GET / HTTP/1.1\r\nHost: {QA.host}\r\n{name}: {LIVE.host}\r\nConnection: close\r\n\r\n")
    house.raw(f"GET http://{QA.host}/ HTTP/1.1\r\nHost: {LIVE.host}\r\nConnection: close\r\n\r\n")
    assert {seen.path for seen in relman.seen} == {"/_gate/verify/7"} and len(relman.seen) == 5
    assert not shop.seen


def test_two_hosts_are_refused(house: Gatehouse, shop: Backend) -> None:
    house.switch(8, shop)
    answer = house.raw(f"GET / HTTP/1.1\r\nHost: {LIVE.host}\r\nHost: {QA.host}\r\nConnection: close\r\n\r\n")
    assert answer.startswith("HTTP/1.1 400") and not shop.seen


RESERVED = [
    "/_relman", "/_relman/", "/_relman/x", "//_relman/x", "/_RELMAN/x", "/%5frelman/x", "/_relman%2fx", "/%2f_relman/x",
    "/x/../_relman/x", "/x/%2e%2e/_relman/x", "/./_relman/x", "///_relman//x", "/_relman/../_relman/x", "/_relman/./x",
    "/_relman/%2e%2e/_relman/x",
]  # fmt: skip


@pytest.mark.parametrize("path", RESERVED)
@pytest.mark.parametrize("route", [QA, LIVE], ids=["private", "public"])
def test_relmans_own_paths_reach_neither_the_application_nor_relman(
    house: Gatehouse, relman: Backend, shop: Backend, route: Route, path: str
) -> None:
    house.switch(route.environment, shop)
    answer = house.raw(f"GET {path} HTTP/1.1\r\nHost: {route.host}\r\nRelMan-Token: good\r\nConnection: close\r\n\r\n")
    assert answer.startswith("HTTP/1.1 404")
    assert not shop.seen and not relman.seen


ENTER = ["/_relman/enter", "//_relman/enter", "/_RELMAN/Enter", "/%5frelman%2Fenter", "/x/../_relman/enter"]


@pytest.mark.parametrize("path", ENTER)
def test_the_way_in_leads_to_one_view_of_relman_only(
    house: Gatehouse, relman: Backend, shop: Backend, path: str
) -> None:
    house.switch(7, shop)
    answer = house.raw(
        f"GET {path}?code=c&next=%2Fa HTTP/1.1\r\nHost: {QA.host}\r\nCookie: relman_session_8000=s\r\n"
        "RelMan-Token: good\r\nConnection: close\r\n\r\n"
    )
    assert "enter /_gate/enter/7?code=c&next=%2Fa" in answer
    (asked,) = relman.seen
    assert asked.path == "/_gate/enter/7?code=c&next=%2Fa"
    assert not asked.names() & {"cookie", "relman-token"}
    assert not shop.seen


def test_the_way_in_is_for_get_only(house: Gatehouse, relman: Backend) -> None:
    assert house.ask(QA.host, "/_relman/enter?code=c", method="POST", body="x").status == 404
    assert not relman.seen


@pytest.mark.parametrize(
    "path", ["/..%2f_gate/verify/8", "/../_gate/verify/8", "/_gate/verify/8", "/admin/", "/api/v1/"]
)
def test_relmans_web_addresses_are_not_on_an_environments_host(
    house: Gatehouse, relman: Backend, shop: Backend, path: str
) -> None:
    house.switch(8, shop)
    answer = house.raw(f"GET {path} HTTP/1.1\r\nHost: {LIVE.host}\r\nConnection: close\r\n\r\n")
    assert not relman.seen
    assert answer.endswith("shop") and unquote(shop.seen[-1].path).lstrip("/.") in unquote(path)


def test_an_application_cannot_set_relmans_cookies_nor_speak_for_the_gateway(house: Gatehouse, shop: Backend) -> None:
    forged = {"Set-Cookie": "relman_pass_8080=forged; Path=/", "RelMan-Gateway": "nothing-live", "X-Mine": "1"}
    shop.answer = lambda seen: (200, forged, b"shop")
    house.switch(8, shop)
    reply = house.ask(LIVE.host)
    assert not (reply.headers["Set-Cookie"] or "")
    assert reply.headers["RelMan-Gateway"] is None and reply.headers["X-Mine"] == "1"
    shop.answer = lambda seen: (200, {"Set-Cookie": "mine=1; Path=/; HttpOnly"}, b"shop")
    assert house.ask(LIVE.host).headers["Set-Cookie"] == "mine=1; Path=/; HttpOnly"


def test_what_is_said_to_an_application_is_said_unchanged(house: Gatehouse, shop: Backend) -> None:
    house.switch(8, shop)
    path = "/a%2Fb//c/%7Euser/;v=1?q=%20x&q=2&empty="
    house.ask(LIVE.host, path, method="PUT", body="\x00\xff", Content_Type="application/x-own", Accept="*/*")
    got = shop.seen[-1]
    assert (got.method, got.path, got.body) == ("PUT", path, b"\x00\xff")
    assert got.all("Content-Type") == ["application/x-own"]
    assert "accept-encoding" not in got.names() or got.all("Accept-Encoding") == ["identity"]


# Streams


def test_a_websocket_passes_in_both_directions(house: Gatehouse, relman: Backend) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        echo = threading.Thread(target=_echo, args=(listener,), daemon=True)
        echo.start()
        server_slots(house, 7, port)
        with socket.create_connection(("127.0.0.1", house.place.port), timeout=10) as line:
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
                go_on.wait(10)
                connection.sendall(b"4\r\nlast\r\n0\r\n\r\n")

        thread = threading.Thread(target=stream, daemon=True)
        thread.start()
        server_slots(house, 8, listener.getsockname()[1])
        with socket.create_connection(("127.0.0.1", house.place.port), timeout=10) as line:
            line.sendall(f"GET / HTTP/1.1\r\nHost: {LIVE.host}\r\n\r\n".encode())
            assert b"200 OK" in _until(line, b"first")
            go_on.set()
            _until(line, b"last\r\n0\r\n\r\n")
        thread.join(5)


# Switching


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
        for number in range(60):
            house.switch(8, *([new], [old], [old, new])[number % 3])
            time.sleep(0.02)
    assert load.lost == []
    assert load.served["old"] > 20 and load.served["new"] > 20
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


# RelMan's own look


def test_a_look_says_what_the_address_answers(house: Gatehouse, shop: Backend) -> None:
    house.switch(8, shop)
    seen = probe.check(house.place, LIVE, "/version")
    assert seen.good and (seen.status, seen.text) == (200, "shop") and seen.ms < 5000
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
                for _ in range(60):
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
        assert time.monotonic() - started < 3
    thread.join(10)


# The process


def test_equal_routes_change_nothing(house: Gatehouse) -> None:
    before = house.running_configuration()
    house.sync(LIVE, QA)
    assert house.running_configuration() == before
    assert configuration(house.place, [LIVE, QA]) == configuration(house.place, [QA, LIVE])


def test_a_route_is_added_changed_and_taken_away(house: Gatehouse, shop: Backend) -> None:
    more = Route(9, "more.live.localhost", public=False)
    server.ensure(house.place, more)
    assert house.ask(more.host).status == 401
    server.ensure(house.place, Route(9, more.host, public=True))
    assert house.ask(more.host).status == 503
    house.switch(9, shop)
    assert house.ask(more.host).text == "shop"
    server.forget(house.place, 9)
    assert house.ask(more.host).status == 404
    assert house.ask(LIVE.host).status == 503


def test_routes_added_at_once_are_all_there(house: Gatehouse) -> None:
    routes = [Route(number, f"app{number}.live.localhost", public=True) for number in range(20, 28)]
    adders = [threading.Thread(target=server.ensure, args=(house.place, route)) for route in routes]
    for adder in adders:
        adder.start()
    for adder in adders:
        adder.join()
    assert {house.ask(route.host).status for route in routes} == {503}


def test_a_killed_gateway_serves_again_by_itself(tmp_path: Path, relman: Backend, shop: Backend) -> None:
    house = Gatehouse(tmp_path, relman.port)
    try:
        house.start()
        house.sync(QA, LIVE)
        house.switch(8, shop)
        assert house.ask(LIVE.host).text == "shop"
        house.kill()
        assert not server.alive(house.place)
        house.switch(7, shop)
        house.start()
        assert house.ask(LIVE.host).text == "shop"
        assert house.ask(QA.host, RelMan_Token="good").text == "shop"
    finally:
        house.kill()


def test_what_is_told_to_a_gateway_that_is_down_holds_from_its_start(tmp_path: Path, relman: Backend) -> None:
    house = Gatehouse(tmp_path, relman.port)
    with pytest.raises(Unreachable, match="does not answer"):
        house.sync(LIVE)
    try:
        house.start()
        assert house.ask(LIVE.host).status == 503
    finally:
        house.kill()


def test_caddy_keeps_nothing_of_its_own_and_its_door_is_private(house: Gatehouse) -> None:
    assert not list(house.home.rglob("autosave.json"))
    assert os.stat(house.place.socket).st_mode & 0o077 == 0
    assert house.running_configuration()["admin"]["config"]["persist"] is False
    assert "trusted_proxies" not in str(house.running_configuration())


def test_its_log_holds_no_pass_no_token_and_no_code(tmp_path: Path) -> None:
    house = Gatehouse(tmp_path, free_port())
    try:
        house.start()
        house.sync(QA)
        house.ask(
            QA.host, "/x?code=SECRET-1", RelMan_Token="SECRET-2", Cookie=f"relman_pass_{house.place.port}=SECRET-3"
        )
        house.ask(QA.host, "/_relman/enter?code=SECRET-4&next=/")
        time.sleep(0.2)
    finally:
        house.kill()
    assert "/x" in house.log() and "SECRET" not in house.log()


def test_a_long_path_gets_a_private_folder_for_its_socket(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    place = Place(home, 1, 2)
    assert len(os.fsencode(place.socket)) <= SOCKET_MAX
    place.make()
    assert os.stat(place.socket.parent).st_mode & 0o077 == 0
    place.socket.parent.rmdir()


def test_a_folder_that_would_be_a_placeholder_is_refused() -> None:
    with pytest.raises(GatewayError, match="braces"):
        Place(Path("/tmp/{env.HOME}"), 1, 2)
