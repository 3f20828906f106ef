"""`python -m relman.embedded.visit COMMAND ...` runs a command in this installation, whether it is up or not.

With DATABASE_URL set it is used as it is. Else the database of RELMAN_HOME: the one that runs, or one that is started
for the command and stopped after it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from . import folders
from .binaries import Missing
from .place import Place, held, here
from .postgres import Postgres
from .process import StartFailed, await_ready, start, stop


def main(command: Sequence[str]) -> int:
    """The command's exit code; 1, with a sentence, when there is no database for it."""
    if not command:
        print(__doc__)
        return 2
    if os.environ.get("DATABASE_URL"):
        return subprocess.run(command, check=False).returncode
    try:
        place = here()
        with database(place) as url:
            environment = place.environment(url, "redis://localhost:1/0")
            return subprocess.run(command, env=environment, check=False).returncode
    except (Missing, StartFailed, OSError) as problem:
        print(f"RelMan's database cannot be used: {problem}", file=sys.stderr)
        return 1


@contextmanager
def database(place: Place) -> Iterator[str]:
    """The URL of this installation's database, running."""
    folders.prepare(place.home)
    postgres = Postgres(place.home / "postgres", folders.run(place.home), environment=place.names)
    if postgres.running():
        yield postgres.url
        return
    with held(place.home):
        service, log = postgres.service(), place.home / "log" / "postgresql.log"
        process = start(service, log)
        try:
            await_ready(service, process, log)
            postgres.create_database()
            yield postgres.url
        finally:
            stop(service, process)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
