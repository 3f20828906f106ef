"""The world is built once for each file and committed; each test's own changes are rolled back."""

import copy

import pytest
from django.core.management import call_command

from phases.drivers.home import home
from releases import dispatch
from releases.engine import sweep
from tests.pages.world import build


@pytest.fixture(scope="module")
def built(django_db_setup, django_db_blocker):
    """The world, and an empty database after the file."""
    patch = pytest.MonkeyPatch()
    patch.setattr(dispatch, "ring_now", lambda promotion: None)
    patch.setattr(sweep, "ring_now", lambda promotion: None)
    with django_db_blocker.unblock():
        yield build()
        call_command("flush", verbosity=0, interactive=False, reset_sequences=False)
    patch.undo()


@pytest.fixture(scope="module")
def remembered(built):
    """What the world's targets remember: file -> its bytes."""
    return {path: path.read_bytes() for path in memory(built)}


@pytest.fixture
def world(built, remembered, db):
    """A copy for each test: neither what a verb changes in an object nor what a run leaves at its target, such as a
    higher epoch, is rolled back with the rows."""
    yield copy.deepcopy(built)
    for path in memory(built):
        path.unlink()
    for path, content in remembered.items():
        path.write_bytes(content)


def memory(world):
    """The files in which the scripted targets of the world's environments remember."""
    numbers = [one.pk for shop in (world.shop, world.other) for one in shop.environments.values()]
    return [path for number in numbers for path in (home() / "scripted" / str(number)).glob("*")]
