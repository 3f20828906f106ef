"""What reaches an application and what never does; what it may say back."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from phases.gateway import probe
from phases.gateway.routes import Route
from tests.phases.gatehouse import LIVE, QA, Backend, Gatehouse


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        ("a=1", ["a=1"]),
        ("a=1; relman_session_8000=s; b=2", ["a=1; b=2"]),
        ("relman_session_8000=s; a=1", ["a=1"]),
        ("a=1; relman_csrf_8000=s", ["a=1"]),
        ("relman_session_8000=s", []),
        ("Relman_Pass_8080=s; RELMAN_BROWSER_8080=t", []),
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
    "/_relman/%2e%2e/_relman/x", "/_relman/../x", "//_relman/%2e%2e/x", "/_RELMAN/./../x",
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
        f"GET {path}?code=c&next=%2Fa HTTP/1.1\r\nHost: {QA.host}\r\nCookie: relman_session_8000=s; "
        f"relman_browser_{house.place.port}=b\r\nRelMan-Asking: forged\r\n"
        "RelMan-Token: good\r\nConnection: close\r\n\r\n"
    )
    assert "enter /_gate/enter/7?code=c&next=%2Fa" in answer
    (asked,) = relman.seen
    assert asked.path == "/_gate/enter/7?code=c&next=%2Fa"
    assert asked.all("Cookie") == [f"relman_browser_{house.place.port}=b"] and "relman-token" not in asked.names()
    assert asked.all("RelMan-Asking") == [probe.asking(house.place)]
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
    shop.answer = lambda seen: (200, {"Set-Cookie": "Relman_Pass_8080=forged; Domain=live.localhost"}, b"shop")
    assert not (house.ask(LIVE.host).headers["Set-Cookie"] or ""), "Caddy makes no difference between the spellings"
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
