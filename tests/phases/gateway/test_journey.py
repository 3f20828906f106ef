"""The whole way: a browser, a real Caddy, RelMan itself, and an application behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.client import HTTPMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as today
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from phases import actions, gateway, passes
from phases.models import Environment, Grant
from phases.permissions import revoke
from phases.routing import route_of
from relman.actors import Actor
from relman.background import flush
from tests.phases.gatehouse import Backend, Gatehouse, Reply, saying
from tests.phases.world import World, build

HTML = "text/html,application/xhtml+xml"


@pytest.fixture
def house(live_server: LiveServer, tmp_path: Path, settings: Any) -> Iterator[Gatehouse]:
    port = urlsplit(live_server.url).port
    assert port
    found = Gatehouse(tmp_path, port)
    settings.HOME, settings.PORT, settings.GATEWAY_PORT = tmp_path, port, found.place.port
    settings.PUBLIC_URL = f"http://localhost:{port}"
    found.start()
    yield found
    flush()
    found.kill()


@pytest.fixture
def world(house: Gatehouse) -> World:
    return build()


@pytest.fixture
def shop() -> Iterator[Backend]:
    backend = saying("shop")
    yield backend
    backend.stop()


class Browser:
    """Follows redirects between hosts and keeps the cookies of each host apart, as browsers do."""

    def __init__(self, house: Gatehouse, relman: Client) -> None:
        self.house, self.relman = house, relman
        self.jar: dict[str, dict[str, str]] = {}
        self.steps: list[str] = []

    def open(self, host: str, path: str = "/", accept: str = HTML) -> Reply:
        for _ in range(8):
            self.steps.append(f"{host}{path}".split("?")[0])
            reply = self._ask(host, path, accept)
            if reply.status != 302:
                return reply
            to = urlsplit(reply.headers["Location"])
            path = f"{to.path}?{to.query}" if to.query else to.path
            host = to.hostname or host
        raise AssertionError(f"It turns in a circle: {self.steps}")

    def _ask(self, host: str, path: str, accept: str) -> Reply:
        if host == "localhost":
            answer = self.relman.get(path, headers={"Accept": accept})
            headers = HTTPMessage()
            for name, value in answer.items():
                headers[name] = value
            return Reply(answer.status_code, headers, answer.content.decode())
        mine = self.jar.setdefault(host, {})
        cookies = "; ".join(f"{name}={value}" for name, value in mine.items())
        reply = self.house.ask(host, path, Accept=accept, Cookie=cookies)
        for line in reply.headers.get_all("Set-Cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            mine[name] = value
        return reply


def served(world: World, house: Gatehouse, phase: str, backend: Backend) -> Environment:
    environment = world.environment(phase)
    gateway.switch(environment.pk, [backend.address])
    assert flush()
    return environment


def browser_of(world: World, house: Gatehouse, name: str) -> Browser:
    relman = Client()
    relman.force_login(world.people[name])
    return Browser(house, relman)


def test_a_person_opens_a_private_phase_in_a_browser(world: World, house: Gatehouse, shop: Backend) -> None:
    served(world, house, "qa", shop)
    browser = browser_of(world, house, "stakeholder")
    assert browser.open("till.qa.localhost", "/cart?item=1").text == "shop"
    assert browser.steps == [
        "till.qa.localhost/cart", "localhost/_gate/begin", "till.qa.localhost/_relman/enter", "till.qa.localhost/cart",
    ]  # fmt: skip
    assert shop.seen[-1].path == "/cart?item=1"
    assert shop.seen[-1].all("RelMan-User") == ["stakeholder"]
    assert not shop.seen[-1].all("Cookie")
    browser.steps.clear()
    assert browser.open("till.qa.localhost", "/again").text == "shop"
    assert browser.steps == ["till.qa.localhost/again"]


def test_signing_out_of_relman_closes_the_environment(world: World, house: Gatehouse, shop: Backend) -> None:
    served(world, house, "qa", shop)
    browser = browser_of(world, house, "stakeholder")
    browser.open("till.qa.localhost")
    browser.relman.logout()
    assert browser.open("till.qa.localhost", accept="application/json").status == 401
    shop.seen.clear()
    browser.open("till.qa.localhost")
    assert browser.steps[-1] == "localhost/signin/" and not shop.seen


def test_losing_the_role_closes_the_environment(world: World, house: Gatehouse, shop: Backend) -> None:
    served(world, house, "qa", shop)
    browser = browser_of(world, house, "stakeholder")
    assert browser.open("till.qa.localhost").status == 200
    grant = Grant.objects.get(user=world.people["stakeholder"], phase__slug="qa")
    revoke(grant, actor=Actor.system())
    refused = browser.open("till.qa.localhost")
    assert refused.status == 403 and "QA engineer" in refused.text, "still a member of the pipeline, and told who may"
    for grant in Grant.objects.filter(user=world.people["stakeholder"]):
        revoke(grant, actor=Actor.system())
    assert browser.open("till.qa.localhost").status == 404, "an outsider is told nothing"


def test_a_pass_does_not_open_the_next_phase(world: World, house: Gatehouse, shop: Backend) -> None:
    for phase in ("dev", "qa"):
        served(world, house, phase, shop)
    browser = browser_of(world, house, "stakeholder")
    browser.open("till.qa.localhost")
    browser.jar["till.dev.localhost"] = dict(browser.jar["till.qa.localhost"])
    shop.seen.clear()
    refused = browser.open("till.dev.localhost")
    assert refused.status == 403 and "Developer" in refused.text
    assert not shop.seen


def test_a_script_opens_it_with_a_token(world: World, house: Gatehouse, shop: Backend) -> None:
    served(world, house, "qa", shop)
    jane = world.people["qa-engineer"]
    raw = actions.issue_token(jane, actor=Actor(jane, "page"), name="script")[1]
    assert house.ask("till.qa.localhost", RelMan_Token=raw).text == "shop"
    refused = house.ask("till.qa.localhost", RelMan_Token="rlm_nonsense")
    assert refused.status == 401 and refused.headers["WWW-Authenticate"] == "Bearer"
    assert house.ask("till.qa.localhost").status == 401
    assert len(shop.seen) == 1


def test_live_is_open_to_everybody(world: World, house: Gatehouse, shop: Backend) -> None:
    served(world, house, "live", shop)
    assert house.ask("till.live.localhost").text == "shop"


def test_relmans_check_passes_a_private_phase(world: World, house: Gatehouse, shop: Backend) -> None:
    environment = served(world, house, "stage", shop)
    seen = gateway.check(route_of(environment))
    assert seen.good and seen.text == "shop", seen
    assert shop.seen[-1].all("RelMan-Via") == ["check"] and shop.seen[-1].all("RelMan-User") == [""]


def test_a_new_environment_has_its_address_at_once(world: World, house: Gatehouse) -> None:
    assert house.ask("till.live.localhost").status == 404
    world.environment("live")
    assert flush()
    assert house.ask("till.live.localhost").status == 503


def test_a_phase_made_private_is_private_at_once(world: World, house: Gatehouse, shop: Backend) -> None:
    served(world, house, "live", shop)
    assert house.ask("till.live.localhost").status == 200
    actions.set_phase(world.phase("live"), actor=world.actor("admin"), public=False)
    assert flush()
    assert house.ask("till.live.localhost").status == 401


def test_the_command_tells_the_gateway_what_the_record_has(world: World, house: Gatehouse, capsys: Any) -> None:
    world.environment("live")
    assert flush()
    house.sync()
    assert house.ask("till.live.localhost").status == 404
    call_command("sync_gateway")
    assert capsys.readouterr().out == "The gateway serves 1 environments.\n"
    assert house.ask("till.live.localhost").status == 503
    house.kill()
    with pytest.raises(CommandError, match="takes the 1 routes up when it starts"):
        call_command("sync_gateway")


def test_a_code_raced_for_is_won_once(world: World, house: Gatehouse) -> None:
    qa, jane = world.environment("qa"), world.people["qa-engineer"]
    relman = Client()
    relman.force_login(jane)
    secret, key = "x" * 43, relman.session.session_key or ""
    code = passes.admit(qa, actor=Actor(jane, "page"), session_key=key, browser=passes.mark(secret))
    won: list[str] = []

    def race() -> None:
        try:
            cookie = passes.enter(code, qa.pk, secret)
            if cookie:
                won.append(cookie)
        finally:
            connection.close()

    racers = [threading.Thread(target=race) for _ in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(won) == 1


def test_the_cookies_of_two_installations_have_two_names() -> None:
    assert str(today.PORT) in today.SESSION_COOKIE_NAME and str(today.PORT) in today.CSRF_COOKIE_NAME
