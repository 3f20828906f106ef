"""One gateway for all of these tests, its door kept by a server that lets in the token "good"."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.phases.gatehouse import LIVE, QA, Backend, Gatehouse, doorkeeper, saying


@pytest.fixture(scope="session")
def relman() -> Iterator[Backend]:
    door = doorkeeper()
    yield door
    door.stop()


@pytest.fixture(scope="session")
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
