"""The small world, built once for a test module and rolled back after it; each test changes it as it likes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from tests.phases.world import World, build


@pytest.fixture(scope="module")
def built_world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    with django_db_blocker.unblock(), transaction.atomic():
        yield build()
        transaction.set_rollback(True)


@pytest.fixture
def world(built_world: World, db: None) -> World:
    """The pipeline Shop with one person for each role; what a test does to it ends with the test."""
    return copy.deepcopy(built_world)
