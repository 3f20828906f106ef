"""A PostgreSQL and a Valkey for one run of something: fast, empty, and gone at its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import folders
from .postgres import Postgres
from .process import await_ready, start, stop
from .valkey import Valkey


@contextlib.contextmanager
def stack(*, durable: bool = False) -> Iterator[dict[str, str]]:
    """Start both; the environment variables that lead to them; stop both and forget their files.

    `durable`: every commit waits for the disk, as in production: for benchmarks of what commits.
    """
    home = Path(tempfile.mkdtemp(prefix="relman-test-"))
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, home, ignore_errors=True)
        folders.prepare(home)
        postgres = Postgres(home / "postgres", folders.run(home), durable=durable)
        valkey = Valkey(home / "valkey", folders.run(home), durable=durable)
        for service in (postgres.service(), valkey.service()):
            log = home / "log" / f"{service.name.lower()}.log"
            process = start(service, log)
            undo.callback(stop, service, process)
            await_ready(service, process, log)
        postgres.create_database()
        yield {
            "DATABASE_URL": postgres.url,
            "BROKER_URL": valkey.url,
            "SECRET_KEY": "thrown-away-" + folders.key(home, "secret").read_text().strip(),
            "RELMAN_SECRETS_KEY": folders.key(home, "secrets").read_text().strip(),
            "RELMAN_HOME": str(home),
        }


def enter(variables: dict[str, str]) -> None:
    """Put them into this process's environment, and take away what would win over them."""
    for name in variables:
        os.environ.pop(f"{name}_FILE", None)
    os.environ.update(variables)
