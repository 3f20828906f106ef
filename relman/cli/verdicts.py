"""Verdicts as a person reads them: what blocks, who can clear it, from when, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from relman.cli.console import Console, local, text_of

MARKS = {"passed": "ok", "waiting": "waits", "failed": "blocks", "overridden": "overridden"}


def blocking(verdicts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that stand in the way, refusals before waits."""
    return sorted(
        (verdict for verdict in verdicts if verdict.get("state") in ("failed", "waiting")),
        key=lambda verdict: verdict.get("state") != "failed",
    )


def note_verdicts(verdicts: Sequence[dict[str, Any]], console: Console, address: str = "") -> None:
    """What blocks, on stderr: belongs to an error. `address` as below."""
    for verdict in blocking(verdicts):
        for line in lines(verdict, address):
            console.note(line)


def say_verdicts(verdicts: Sequence[dict[str, Any]], console: Console, address: str) -> None:
    """What blocks, on stdout: the answer to a question. `address`: of RelMan, for links without a host."""
    for verdict in blocking(verdicts):
        first, *rest = lines(verdict, address)
        console.say(console.paint(first, "bad" if verdict.get("state") == "failed" else "wait"))
        for line in rest:
            console.say(line)


def lines(verdict: dict[str, Any], address: str = "") -> Iterator[str]:
    """One verdict: its gate and reason, then who, when and where, as far as they are known."""
    mark = MARKS.get(str(verdict.get("state")), text_of(verdict.get("state")))
    yield f"{mark:>6}  {text_of(verdict.get('gate'))}: {text_of(verdict.get('reason'))}"
    if verdict.get("who"):
        yield f"        who can clear it: {text_of(verdict['who'])}"
    if verdict.get("earliest"):
        yield f"        earliest: {local(verdict['earliest'])}"
    if verdict.get("link"):
        link = str(verdict["link"])
        yield f"        see: {address + link if link.startswith('/') else link}"
