"""Starts a PostgreSQL and a Valkey for one run of the tests, before anything reads Django's settings.

Loaded by `-p tests.plugin`: a conftest.py would come too late, and the processes of xdist inherit the addresses.
"""

from __future__ import annotations

import atexit
import contextlib
import os
from pathlib import Path

from relman.embedded import folders
from relman.embedded.throwaway import enter, stack


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
