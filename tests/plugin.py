"""Starts a PostgreSQL and a Valkey for one run of the tests, before anything reads Django's settings.

Loaded by `-p tests.plugin`: a conftest.py would come too late, and the processes of xdist inherit the addresses.
"""

from __future__ import annotations

import atexit
import contextlib
import os

from relman.embedded.throwaway import enter, stack


def pytest_addoption() -> None:
    """The first thing pytest asks of a plugin: early enough."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        running = contextlib.ExitStack()
        atexit.register(running.close)
        enter(running.enter_context(stack()))
