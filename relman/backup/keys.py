"""The installation's keys: what opens the secrets and signs. Never inside a backup, always in a file of their own."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from django.conf import settings

from relman.backup import BackupError, files


def today() -> dict[str, str]:
    """The keys in use, by the name of their variable."""
    return {"SECRET_KEY": settings.SECRET_KEY, "RELMAN_SECRETS_KEY": " ".join(settings.SECRETS_KEYS)}


def marks(keys: dict[str, str]) -> dict[str, list[str]]:
    """What tells keys apart and opens nothing: part of the manifest."""
    return {name: [_mark(key) for key in value.split()] for name, value in keys.items()}


def _mark(key: str) -> str:
    return hashlib.sha256(b"relman key mark\n" + key.encode()).hexdigest()[:16]


def save(path: Path) -> None:
    """Write the keys, readable by their owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, today())


def load(path: Path) -> dict[str, str]:
    """The keys of a file that `save` wrote."""
    found = files.read(path, "file of keys")
    if not isinstance(found, dict) or set(found) != set(today()):
        raise BackupError(f"{path} is no file of keys.")
    return {name: str(value) for name, value in found.items()}


def opens(keys: dict[str, str], known: dict[str, list[str]]) -> bool:
    """Whether these are the keys of the backup; further, newer keys for secrets may stand beside them."""
    mine = marks(keys)
    return mine["SECRET_KEY"] == known["SECRET_KEY"] and set(known["RELMAN_SECRETS_KEY"]) <= set(
        mine["RELMAN_SECRETS_KEY"]
    )


def adopt(keys: dict[str, str]) -> list[str]:
    """Make them the installation's keys; sentences about what a person has to set."""
    told = []
    for name, value in keys.items():
        file = os.environ.get(f"{name}_FILE")
        if today()[name] == value:
            continue
        if file:
            files.write_text(Path(file), value + "\n")
        else:
            told.append(f"Set {name} to the value in the file of keys before RelMan starts.")
    settings.SECRET_KEY, settings.SECRETS_KEYS = keys["SECRET_KEY"], keys["RELMAN_SECRETS_KEY"].split()
    return told
