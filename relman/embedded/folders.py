"""The data directory: its folders, a place for sockets that is short enough, and the keys."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import stat
import tempfile
from pathlib import Path

PRIVATE = ("artifacts", "gateway", "keys", "log", "run")
LONGEST_SOCKET = 100
"""The kernel refuses socket paths over 107 bytes."""
LONGEST_BASE = 40
"""A folder for temporary files with a longer name leaves no room for ours."""


def prepare(home: Path) -> None:
    """Create the data directory: deployed applications have users of their own and may walk through it, not list it."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o711)
    for name in PRIVATE:
        folder = home / name
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)


def run(home: Path) -> Path:
    """The folder for sockets: `run` in the data directory or, where that path is too long, a short one of our own."""
    folder = home / "run"
    if len(os.fsencode(folder / ".s.PGSQL.5432.lock")) <= LONGEST_SOCKET:
        return folder
    digest = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:12]
    base = tempfile.gettempdir() if len(tempfile.gettempdir()) < LONGEST_BASE else "/tmp"  # noqa: S108 - owner checked
    short = Path(base) / f"relman-{os.geteuid()}-{digest}"
    short.mkdir(mode=0o700, exist_ok=True)
    about = short.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
        raise PermissionError(f"{short} belongs to somebody else: remove it, or choose a shorter RELMAN_HOME.")
    return short


def leave(home: Path) -> None:
    """Remove the short folder for sockets, when there is one and nobody uses it."""
    folder = run(home)
    if folder != home / "run":
        with contextlib.suppress(OSError):
            folder.rmdir()


def key(home: Path, name: str) -> Path:
    """The file of a key, made on first use and readable by its owner only. 32 random bytes, as Fernet wants them."""
    path = home / "keys" / name
    if not path.exists():
        fresh = path.with_suffix(".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.urlsafe_b64encode(secrets.token_bytes(32)) + b"\n")
            os.fsync(file.fileno())
        fresh.rename(path)
    return path
