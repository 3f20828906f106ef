"""A progress bar on one line of a terminal: bytes, rate, time left. Where there is no terminal it prints nothing."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TextIO

REDRAW_SECONDS = 0.1
UNITS = ("B", "kB", "MB", "GB")


class Progress:
    """Counts bytes of `total`; draws on `stream` only when `drawn`."""

    def __init__(self, total: int, stream: TextIO, *, drawn: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._total = total
        self._stream = stream
        self._drawn = drawn
        self._clock = clock
        self.start()

    def start(self) -> None:
        """Begin, or begin again: a repeated try sends the file from its start."""
        self._moved = 0
        self._began = self._clock()
        self._last = 0.0

    def moved(self, count: int) -> None:
        """`count` more bytes are on their way."""
        self._moved += count
        now = self._clock()
        if now - self._last >= REDRAW_SECONDS or self._moved >= self._total:
            self._last = now
            self._draw(line(self._moved, self._total, now - self._began, _columns()))

    def sent(self) -> None:
        """All is sent; what follows is RelMan's own check of the archive."""
        self._draw(f"{size(self._total)} sent; RelMan checks the archive ...")

    def clear(self) -> None:
        """Leave the line empty for what is printed next."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _draw(self, text: str) -> None:
        if self._drawn:
            self._stream.write("\r\x1b[K" + text)
            self._stream.flush()


def line(moved: int, total: int, seconds: float, columns: int) -> str:
    """The bar's text, never wider than the terminal."""
    share = moved / total if total else 1.0
    rate = moved / seconds if seconds > 0 else 0.0
    left = f"{clock((total - moved) / rate)} left" if rate else ""
    words = f" {share:4.0%}  {size(moved)} of {size(total)}  {size(int(rate))}/s  {left}".rstrip()
    room = min(40, columns - len(words) - 3)
    if room < 8:
        return words.strip()[: columns - 1]
    full = int(room * share)
    return "[" + "#" * full + "-" * (room - full) + "]" + words


def size(count: float) -> str:
    """Bytes for a person: 12.3 MB (decimal units)."""
    power = 0
    while count >= 999.95 and power < len(UNITS) - 1:
        count, power = count / 1000, power + 1
    return f"{count:.1f} {UNITS[power]}" if power else f"{count:.0f} B"


def clock(seconds: float) -> str:
    """A length of time as m:ss or h:mm:ss."""
    whole = int(seconds + 0.5)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _columns() -> int:
    return shutil.get_terminal_size().columns
