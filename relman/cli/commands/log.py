"""`relman log`: a promotion's log, once or as it grows."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from relman.cli import exits
from relman.cli.client import Client
from relman.cli.console import Console, local, text_of
from relman.cli.failure import Failure
from relman.cli.follow import OUTAGES, Pace

TONES = {"good": "good", "warn": "wait", "error": "bad", "group": "strong"}
MOST_PAGES = 10_000  # of one log, in one go


def run(args: Namespace, console: Console, client: Client) -> int:
    """Print the log's lines; with --follow until the promotion has ended, or `--timeout` is over (20)."""
    tail, pace, outages = Tail(args, console, client), Pace(args.timeout), 0
    for _ in pace.rounds():
        try:
            grown, outages = tail.print_new(), 0
        except Failure as failure:
            outages += 1
            if failure.code != exits.UNREACHABLE or not args.follow or outages >= OUTAGES:
                raise
            continue
        if tail.complete or not args.follow:
            return exits.OK
        if grown:
            pace.hurry()
    console.note(f"The log still grew when {args.timeout:.0f} s were over.")
    return exits.TIMEOUT


class Tail:
    """Where in the log we are; kept through outages, so that no line is printed twice."""

    def __init__(self, args: Namespace, console: Console, client: Client) -> None:
        self._place = f"promotions/{args.promotion}/log/"
        self._after = args.after
        self._console = console
        self._client = client
        self.complete = False

    def print_new(self) -> bool:
        """Print every line that is new, page after page; whether there was any."""
        grown = False
        for _ in range(MOST_PAGES):
            page = self._client.get(self._place, {"after": self._after})
            for line in page.get("results", []):
                _print(line, self._console)
                self._after, grown = max(self._after, int(line.get("n", 0))), True
            if not page.get("results") or not page.get("next"):
                self.complete = bool(page.get("complete"))
                break
        return grown


def _print(line: dict[str, Any], console: Console) -> None:
    if console.as_json:
        return console.entry(line)
    step = f"[{text_of(line['step'])}] " if line.get("step") not in (None, "", 0) else ""
    tone = TONES.get(str(line.get("level")))
    return console.say(f"{local(line.get('at'))}  {step}{console.paint(str(line.get('text', '')), tone)}")
