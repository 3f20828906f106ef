"""Archives of the sample applications: the same version gives the same bytes, on every machine."""

from __future__ import annotations

import gzip
import tarfile
from io import BytesIO
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHARED = HERE / "shared"
KINDS = (".py", ".toml", ".css", ".json")


def build(sample: str, version: str, out: Path, **facts: str) -> Path:
    """Pack a sample as a .tar.gz at `out`; VERSION and each of `facts` become files of that name in it."""
    files = {path.name: path.read_bytes() for folder in (SHARED, HERE / sample) for path in _sources(folder)}
    files |= {name.upper(): text.encode() for name, text in {"version": version, **facts}.items()}
    with (
        out.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(files):
            tar.addfile(_entry(name, len(files[name])), BytesIO(files[name]))
    return out


def _sources(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ValueError(f"There is no sample {folder.name!r}.")
    return sorted(path for path in folder.iterdir() if path.suffix in KINDS)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    return entry
