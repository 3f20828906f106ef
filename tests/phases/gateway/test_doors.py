"""Addresses and doors: what each host name leads to, and who is asked before."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from pathlib import Path

import pytest

from phases.gateway import probe
from phases.gateway.errors import GatewayError
from phases.gateway.pages import POLICY, page
from phases.gateway.routes import Route
from tests.phases.gatehouse import HTML, LIVE, QA, Backend, Gatehouse, Seen
from tests.ports import free_port


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
        X_Forwarded_Uri="/forged", RelMan_Asking="forged", X_Forwarded_For="9.9.9.9", Authorization="Basic eA==",
    )  # fmt: skip
    assert reply.text == "shop"
    (asked,) = relman.seen
    assert (asked.method, asked.body) == ("GET", b"")
    port = house.place.port
    assert asked.all("Cookie") == [f"relman_browser_{port}=; relman_pass_{port}=good"]
    assert asked.all("RelMan-Asking") == [probe.asking(house.place)]
    assert asked.all("X-Forwarded-Uri") == ["/a/b?c=d"]
    assert asked.all("X-Forwarded-Method") == ["POST"]
    assert asked.all("X-Forwarded-For") == ["127.0.0.1"]
    assert asked.all("Host") == [f"localhost:{relman.port}"]
    assert not asked.names() & {"authorization", "x-forwarded-host", "content-length"}
    (got,) = shop.seen
    assert (got.method, got.path, got.body) == ("POST", "/a/b?c=d", b"the body")
    assert got.all("Authorization") == ["Basic eA=="]
    assert got.all("Cookie") == ["mine=1; other=2"]


@pytest.mark.parametrize(
    "sent",
    [
        "relman_pass_0=good; relman_pass_0=tossed",
        "a=1; relman_pass_0=tossed;b=2;relman_pass_0 =good",
        "RELMAN_PASS_0=tossed; relman_pass_0=good",
        "relman_pass_0=good; Relman_Pass_0=tossed",
        "Relman_Pass_0=tossed",
        "relman_browser_0=mine; RelMan_browser_0=tossed; relman_pass_0=good",
    ],
)
def test_a_cookie_that_was_tossed_in_is_shown_to_relman(house: Gatehouse, relman: Backend, sent: str) -> None:
    """RelMan refuses whoever shows a name twice; Caddy alone would give the first, in any spelling."""
    port = house.place.port
    sent = sent.replace("_0", f"_{port}")
    house.ask(QA.host, Cookie=sent)
    house.ask(QA.host, "/_relman/enter?code=x", Cookie=sent)
    for asked in relman.seen:
        (line,) = asked.all("Cookie")
        assert line.count(f"relman_browser_{port}=") == 2, asked.path
    assert relman.seen[0].all("Cookie")[0].count(f"relman_pass_{port}=") == 2 and len(relman.seen) == 2


@pytest.mark.parametrize("sent", ["relman_pass_0=good; relman_browser_0=x", "xrelman_pass_0=1; relman_pass_0=good", ""])
def test_one_cookie_of_a_name_is_no_two(house: Gatehouse, relman: Backend, sent: str) -> None:
    house.ask(QA.host, Cookie=sent.replace("_0", f"_{house.place.port}"))
    assert relman.seen[0].all("Cookie")[0].count("relman_pass") == 1


def test_who_passed_is_told_to_the_application_and_cannot_be_forged(house: Gatehouse, shop: Backend) -> None:
    house.switch(7, shop)
    forged = {"RelMan_User": "root", "RelMan_Via": "page", "RelMan_Roles": "all", "X_RelMan_User": "root"}
    assert house.ask(QA.host, RelMan_Token="good", **forged).status == 200
    (got,) = shop.seen
    assert got.all("RelMan-User") == ["jane"] and got.all("RelMan-Via") == ["token"]
    assert not got.names() & {"relman-roles", "relman-token", "relman-check", "x-relman-user", "relman-asking"}


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


def test_only_a_yes_is_a_yes(tmp_path: Path, shop: Backend) -> None:
    odd = Gatehouse(tmp_path, shop.port)
    try:
        odd.start()
        odd.sync(QA)
        odd.switch(7, shop)
        for status in (300, 302, 400, 403, 404, 429, 500, 503):
            shop.answer = lambda seen, status=status: (status, {}, b"odd")  # type: ignore[misc]  # of this turn
            assert odd.ask(QA.host).status == status
        assert [seen.path for seen in shop.seen] == ["/_gate/verify/7"] * 8
    finally:
        odd.kill()
