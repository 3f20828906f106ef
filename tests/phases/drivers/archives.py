"""Makes archives, good and hostile."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

TOML = b"""
[run]
command = "python3 app.py"
health = "/healthz"
version = "/version"
"""


def member(name: str, data: bytes = b"", **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    """One entry of a tar, with any header field set to anything."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, data


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    """A symbolic link, or a hard one."""
    return member(name, type=kind, linkname=target)


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], toml: bytes | None = TOML) -> Path:
    """A .tar.gz with a sound relman.toml and these entries."""
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for info, data in [*([member("relman.toml", toml)] if toml is not None else []), *members]:
            archive.addfile(info, io.BytesIO(data))
    return path


def zipped(path: Path, files: Iterable[tuple[zipfile.ZipInfo | str, bytes]], toml: bytes | None = TOML) -> Path:
    """A .zip with a sound relman.toml and these files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*([("relman.toml", toml)] if toml is not None else []), *files]:
            archive.writestr(name, data)
    return path
