"""Archives of the sample applications: the same version gives the same bytes, on every machine.

`python samples/build.py storefront 1.4.0 storefront.tar.gz [--broken "why"]`
"""

from __future__ import annotations

import argparse
import gzip
import tarfile
from io import BytesIO
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMMON = HERE / "common"
SAMPLES = ("storefront", "payments", "catalogue", "playground")
KINDS = (".py", ".toml", ".css", ".json")


def build(sample: str, version: str, out: Path, **facts: str) -> Path:
    """Pack a sample as a .tar.gz at `out`; VERSION and each of `facts` become files of that name in it.

    Every sample knows `broken`: its health check answers 503 with that text. Payments knows `needs`: names of
    settings without which it is not healthy. Raises ValueError for an unknown sample."""
    if sample not in SAMPLES:
        raise ValueError(f"There is no sample {sample!r}. Samples: {', '.join(SAMPLES)}.")
    files = {path.name: path.read_bytes() for folder in (COMMON, HERE / sample) for path in _sources(folder)}
    files |= {name.upper(): f"{text}\n".encode() for name, text in {"version": version, **facts}.items()}
    with (
        out.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(files):
            tar.addfile(_entry(name, len(files[name])), BytesIO(files[name]))
    return out


def _sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in KINDS)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    """A header without anything that differs from one day or machine to the next."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o644
    return entry


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Pack a sample application.")
    parser.add_argument("sample", choices=SAMPLES)
    parser.add_argument("version")
    parser.add_argument("out", type=Path)
    parser.add_argument("--broken", metavar="WHY", help="make its health check fail")
    given = parser.parse_args()
    facts = {"broken": given.broken} if given.broken else {}
    print(build(given.sample, given.version, given.out, **facts))


if __name__ == "__main__":
    main()
