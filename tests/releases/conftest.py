"""What tests of releases share."""

import pytest

from releases import dispatch, storage
from releases.engine import sweep
from tests import factories


@pytest.fixture
def bell(monkeypatch):
    """Which promotions were rung for; nothing is sent."""
    rung: list[int] = []
    monkeypatch.setattr(dispatch, "ring_now", rung.append)
    monkeypatch.setattr(sweep, "ring_now", rung.append)
    return rung


@pytest.fixture
def shop(transactional_db, bell):
    """Pipeline, application, people; committed, because the engine works in threads of its own."""
    return factories.shop()


@pytest.fixture(autouse=True)
def empty_staging():
    """What other tests staged and never published is not this test's."""
    for left in storage.staging().iterdir():
        left.unlink()
