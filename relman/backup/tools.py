"""PostgreSQL's own programs, and what they are told about the database."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from django.db import connection

from relman.backup import BackupError
from relman.embedded import binaries


def run(name: str, *words: str) -> None:
    """Run one of PostgreSQL's programs on RelMan's database. BackupError with its own last words."""
    command = [str(program(name)), *words]
    done = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
    if done.returncode:
        said = " ".join(done.stderr.strip().splitlines()[-3:])
        raise BackupError(f"{name} failed: {said or f'exit code {done.returncode}'}")


def program(name: str) -> Path:
    """The program of the server's own version, or of a newer one: RELMAN_PG_BINDIR, the wheel, then PATH."""
    server = server_version()
    found = {path: version for path in _candidates(name) if (version := _major(path)) >= server}
    if not found:
        raise BackupError(f"There is no {name} for PostgreSQL {server} here: set RELMAN_PG_BINDIR to its programs.")
    return min(found, key=lambda path: found[path])


def server_version() -> int:
    """The major version of the server that RelMan uses."""
    connection.ensure_connection()
    return int(connection.connection.info.server_version) // 10_000


def _candidates(name: str) -> Iterator[Path]:
    if os.environ.get("RELMAN_PG_BINDIR"):
        yield binaries.postgres() / name
        return
    with contextlib.suppress(binaries.Missing):
        yield binaries.postgres() / name
    there = shutil.which(name)
    if there:
        yield Path(there)


def _major(path: Path) -> int:
    """0 when it cannot be run."""
    try:
        done = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return 0
    found = re.search(r"(\d+)", done.stdout)
    return int(found.group(1)) if found else 0


def _environment() -> dict[str, str]:
    """The password goes by environment: a command line is seen by everybody on the machine."""
    known = connection.settings_dict
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    told = {variable: str(known[name]) for variable, name in names.items() if known.get(name)}
    if mode := known.get("OPTIONS", {}).get("sslmode"):
        told["PGSSLMODE"] = str(mode)
    return {**os.environ, "LC_ALL": "C", **told}
