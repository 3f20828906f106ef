"""Starts a PostgreSQL and a Valkey for one run of the tests, before anything reads Django's settings.

Loaded by `-p tests.plugin`: a conftest.py would come too late, and the processes of xdist inherit the addresses.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from relman.embedded import folders
from relman.embedded.postgres import Postgres
from relman.embedded.process import await_ready, start, stop
from relman.embedded.valkey import Valkey


def pytest_addoption() -> None:
    """The first thing pytest asks of a plugin: early enough."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        _start(Path(tempfile.mkdtemp(prefix="relman-test-")))


def _start(home: Path) -> None:
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    folders.prepare(home)
    postgres = Postgres(home / "postgres", folders.run(home), durable=False)
    valkey = Valkey(home / "valkey", folders.run(home), durable=False)
    for service in (postgres.service(), valkey.service()):
        log = home / "log" / f"{service.name.lower()}.log"
        process = start(service, log)
        atexit.register(stop, service, process)
        await_ready(service, process, log)
    postgres.create_database()
    for stray in ("SECRET_KEY_FILE", "RELMAN_SECRETS_KEY_FILE", "DATABASE_URL_FILE", "BROKER_URL_FILE"):
        os.environ.pop(stray, None)
    os.environ.update(
        DATABASE_URL=postgres.url,
        BROKER_URL=valkey.url,
        SECRET_KEY="only-for-tests-" + "x" * 50,
        RELMAN_SECRETS_KEY=folders.key(home, "secrets").read_text().strip(),
        RELMAN_HOME=str(home),
    )
