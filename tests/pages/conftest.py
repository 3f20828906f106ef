"""The world is built once for each file and committed; each test's own changes are rolled back."""

import copy

import pytest
from django.core.management import call_command

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


@pytest.fixture
def world(built, db):
    """A copy for each test: what a verb changes in an object is not rolled back with the rows."""
    return copy.deepcopy(built)
