"""Starts a PostgreSQL and a Valkey for one run of the tests, before anything reads Django's settings.

Loaded by `-p tests.plugin`: a conftest.py would come too late, and the processes of xdist inherit the addresses.
"""

from __future__ import annotations

import atexit
import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from relman.embedded import folders
from relman.embedded.throwaway import enter, stack

# The same examples in each run, and no limit of time for one: a busy machine is slow, and that is no failure.
settings.register_profile(
    "steady", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


def pytest_addoption() -> None:
    """The first thing pytest asks of a plugin: early enough."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        running = contextlib.ExitStack()
        atexit.register(running.close)
        enter(running.enter_context(stack()))
    elif Path(os.environ["RELMAN_HOME"]).name != worker:
        # Each worker has a database of its own, so numbers repeat: targets and files must not be shared.
        home = Path(os.environ["RELMAN_HOME"]) / worker
        folders.prepare(home)
        os.environ["RELMAN_HOME"] = str(home)


@pytest.fixture(autouse=True, scope="session")
def quick_passwords() -> None:
    """A third of a second for each password is right against thieves, and wasted on tests."""
    from django.conf import settings as ours

    ours.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
