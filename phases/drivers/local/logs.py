"""The last lines that deployed applications wrote."""

from __future__ import annotations

import os
from pathlib import Path

from phases.drivers.local.layout import Place
from phases.drivers.masking import clean

BYTES_A_LINE = 400
LARGEST = 4 * 1024 * 1024


def last_lines(place: Place, lines: int, promotion: int | None = None) -> list[str]:
    """Up to `lines` lines as plain text, oldest log first, of all promotions or of one; several instances are told
    apart by their number."""
    names = "*.log" if promotion is None else f"*-p{promotion}-*.log"
    found = sorted(place.logs.glob(names), key=lambda path: path.stat().st_mtime)[-12:]
    newest = found[-1].stem.rpartition("-")[0] if found else ""
    several = sum(path.stem.rpartition("-")[0] == newest for path in found) > 1
    collected: list[str] = []
    for path in found:
        prefix = f"[{path.stem.rpartition('-')[2]}] " if several else ""
        collected += [prefix + line for line in _tail(path, lines)]
    return collected[-lines:] if lines > 0 else []


def _tail(path: Path, lines: int) -> list[str]:
    older = path.with_name(f"{path.name}.1")
    text = _end(path, lines)
    if text.count("\n") < lines and older.exists():
        text = _end(older, lines) + text
    return [clean(line) for line in text.splitlines()[-lines:]]


def _end(path: Path, lines: int) -> str:
    size = min(LARGEST, lines * BYTES_A_LINE)
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - size)
            file.seek(start)
            data = file.read()
    except OSError:
        return ""
    if start:
        data = data.partition(b"\n")[2]
    return data.decode("utf-8", "replace")
