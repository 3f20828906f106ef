"""What the command prints: sentences, tables that fit, colour on a terminal only, JSON for programs."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TextIO

COLOURS = {"good": "32", "bad": "31", "wait": "33", "move": "36", "dim": "2", "strong": "1"}
TONES = {
    "succeeded": "good",
    "passed": "good",
    "healthy": "good",
    "waiting": "wait",
    "queued": "wait",
    "overridden": "wait",
    "errored": "bad",
    "failed": "bad",
    "rejected": "bad",
    "unhealthy": "bad",
    "running": "move",
    "verifying": "move",
}
OURS = re.compile(r"(\x1b\[(?:0|1|2|31|32|33|36)m)")  # the only escapes that may reach a terminal
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
NARROWEST = 8  # a column is never squeezed below this
GAP = "  "


class Console:
    """Answers go to stdout, remarks and errors to stderr. With `as_json` stdout holds JSON and nothing else."""

    def __init__(self, *, as_json: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self.live = self.err.isatty() and os.environ.get("TERM") != "dumb"
        self._fits = self.out.isatty()
        self._coloured = self._fits and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def answer(self, document: Any) -> None:
        """The API's document, for `--json`."""
        self.out.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
        self.out.flush()

    def entry(self, document: Any) -> None:
        """One document on one line, for lists that grow (`log --follow --json`)."""
        self.out.write(json.dumps(document, ensure_ascii=False) + "\n")
        self.out.flush()

    def say(self, text: str = "") -> None:
        """One line of the answer."""
        self.out.write("".join(part if OURS.fullmatch(part) else clean(part) for part in OURS.split(text)) + "\n")
        self.out.flush()

    def note(self, text: str) -> None:
        """A remark beside the answer."""
        self.err.write(clean(text) + "\n")
        self.err.flush()

    def paint(self, text: str, tone: str | None) -> str:
        """`text` in the colour of `tone`, where colour is wanted; always cleaned."""
        code = COLOURS.get(tone or "")
        return f"\x1b[{code}m{clean(text)}\x1b[0m" if code and self._coloured else clean(text)

    def status(self, word: Any) -> str:
        """A status word in its colour."""
        return self.paint(text_of(word), TONES.get(str(word)))

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table as wide as the terminal at most (whole where the output is not a terminal)."""
        cells = [[text_of(cell) for cell in row] for row in rows]
        widths = [max(width(row[at]) for row in [list(heads), *cells]) for at in range(len(heads))]
        if self._fits:
            widths = squeeze(widths, shutil.get_terminal_size().columns)
        self.say(self.paint(_line(heads, widths), "strong"))
        for row in cells:
            parts = [self.paint(fit(cell, wide), TONES.get(cell)) for cell, wide in zip(row, widths, strict=True)]
            self.say(GAP.join(parts).rstrip())


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(fit(cell, wide) for cell, wide in zip(cells, widths, strict=True)).rstrip()


def clean(text: str) -> str:
    """Without control characters: what others wrote must not steer the terminal of who reads it."""
    return STEERING.sub("\N{REPLACEMENT CHARACTER}", text)


def text_of(value: Any) -> str:
    """A cell's text on one line: a dash for nothing, names for lists."""
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, list):
        return ", ".join(text_of(item) for item in value)
    if isinstance(value, dict):
        return text_of(value.get("name") or value.get("username") or value.get("slug") or value.get("title"))
    return " ".join(clean(str(value)).split())


def width(text: str) -> int:
    """Columns on a terminal: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def fit(text: str, columns: int) -> str:
    """`text` padded to `columns`, or cut with an ellipsis."""
    if width(text) <= columns:
        return text + " " * (columns - width(text))
    kept = ""
    for char in text:
        if width(kept + char) > columns - 1:
            break
        kept += char
    return fit(kept + "\N{HORIZONTAL ELLIPSIS}", columns) if columns > 0 else ""


def squeeze(widths: Sequence[int], columns: int) -> list[int]:
    """Widths that fit: the widest column gives first, none below NARROWEST (or what it has)."""
    fitted = list(widths)
    room = columns - len(GAP) * (len(fitted) - 1)
    while sum(fitted) > room:
        widest = max(range(len(fitted)), key=fitted.__getitem__)
        if fitted[widest] <= NARROWEST:
            break
        fitted[widest] -= 1
    return fitted


def local(moment: Any) -> str:
    """An ISO time of the API in this machine's zone, with the zone's name; a dash for none."""
    if not moment:
        return "-"
    try:
        parsed = datetime.fromisoformat(str(moment).replace("Z", "+00:00"))
    except ValueError:
        return str(moment)
    return parsed.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
