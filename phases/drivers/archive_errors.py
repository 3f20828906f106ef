"""What can be wrong with an archive, said so that its author can mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST_SHOWN = 50
"""Errors listed in full; a hostile archive could have fifty thousand."""


@dataclass(frozen=True)
class ArchiveError:
    """One thing that is wrong: where, what, and what its author can do."""

    place: str
    sentence: str
    cure: str


class ArchiveRefused(Exception):
    """The archive is refused as a whole; `errors` lists everything that was found."""

    def __init__(self, errors: Sequence[ArchiveError]) -> None:
        self.errors = list(errors)
        first = self.errors[0]
        more = f" ({len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        super().__init__(f"{first.place}: {first.sentence}{more}")


class Findings:
    """Collects errors, each once, and no more than a person would read."""

    def __init__(self) -> None:
        self._errors: dict[ArchiveError, None] = {}
        self._hidden = 0

    def add(self, place: str, sentence: str, cure: str) -> None:
        """Note one error. The place is made printable."""
        error = ArchiveError(printable(place), sentence, cure)
        if error in self._errors:
            return
        if len(self._errors) >= MOST_SHOWN:
            self._hidden += 1
        else:
            self._errors[error] = None

    def fatal(self, place: str, sentence: str, cure: str) -> ArchiveRefused:
        """Note an error after which reading on makes no sense; raise what this gives."""
        self.add(place, sentence, cure)
        return ArchiveRefused(self._all())

    def raise_if_any(self) -> None:
        """Raise ArchiveRefused when something was noted."""
        if self._errors:
            raise ArchiveRefused(self._all())

    def _all(self) -> list[ArchiveError]:
        errors = list(self._errors)
        if self._hidden:
            errors.append(
                ArchiveError("archive", f"{self._hidden} more errors like these.", "Mend the ones above first.")
            )
        return errors


def printable(text: str) -> str:
    """A name from an archive, fit for a page or a terminal: no control characters, not endless."""
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return shown if len(shown) <= 200 else shown[:197] + "…"
