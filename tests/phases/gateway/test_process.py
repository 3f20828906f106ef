"""Caddy as a process: what it is told, what it keeps, and how it comes back."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from phases.gateway import server
from phases.gateway.errors import GatewayError, Unreachable
from phases.gateway.place import SOCKET_MAX, Place
from phases.gateway.routes import Route, configuration
from tests.phases.gatehouse import LIVE, QA, Backend, Gatehouse
from tests.ports import free_port


def test_equal_routes_change_nothing(house: Gatehouse) -> None:
    before = house.running_configuration()
    house.sync(LIVE, QA)
    assert house.running_configuration() == before
    assert server.known(house.place) == [QA, LIVE]
    assert configuration(house.place, [LIVE, QA], "x") == configuration(house.place, [QA, LIVE], "x")


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
        end = time.monotonic() + 60
        while "/x" not in house.log() and time.monotonic() < end:
            time.sleep(0.05)
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
