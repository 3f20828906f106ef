"""A promotion's log, as a window of its last lines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from releases.models import LogLine, Promotion
from releases.queries.shared import Log, LogText

LAST = 2000
"""Lines in the page; older ones are in the file."""
TONES = {"info": "", "good": "g", "warn": "w", "error": "e", "group": "c"}


def log(promotion: Promotion, step: int = 0, after: int = 0) -> Log:
    """The last lines of one step (0: of all), or those behind line `after`. Two queries."""
    chosen = LogLine.objects.filter(promotion=promotion)
    if step:
        chosen = chosen.filter(step=step)
    total = chosen.count()
    first = max(after, total - LAST)
    rows = chosen.order_by("-id").values_list("at", "text", "level")[: max(0, total - first)]
    newest_first = enumerate(rows)
    lines = [LogText(total - back, at, text, TONES.get(level, "")) for back, (at, text, level) in newest_first]
    lines.reverse()
    return Log(
        lines=lines,
        step=step,
        total=total,
        first=lines[0].number if lines else 0,
        last=lines[-1].number if lines else after,
        earlier=bool(lines) and lines[0].number > 1,
    )


def log_text(promotion: Promotion) -> Iterator[str]:
    """The whole log as lines of a text file: time, step, text."""
    rows = LogLine.objects.filter(promotion=promotion).order_by("id").values_list("at", "step", "level", "text")
    for at, step, level, text in rows.iterator(chunk_size=LAST):
        mark = f" {level}" if level in ("warn", "error") else ""
        yield f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ} {step}{mark} {text}\n"
