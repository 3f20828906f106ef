"""Waiting for a promotion by asking again, ever more slowly, until it ends or the time is over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from relman.cli import exits
from relman.cli.client import Client
from relman.cli.console import Console, text_of
from relman.cli.failure import Failure
from relman.cli.verdicts import blocking, say_verdicts

SHORTEST = 0.5  # seconds between two questions at first
LONGEST = 5.0  # and at last
NUMBER = re.compile(r"#?[0-9]+|[0-9a-f]{8}-[0-9a-f-]{27}")  # a promotion, not an application
OUTAGES = 6  # unanswered questions in a row (each with its own retries) until we give up

Json = dict[str, Any]


@dataclass
class Pace:
    """The pauses of one wait: growing while nothing happens, short again when something did, never past the end."""

    timeout: float

    def __post_init__(self) -> None:
        self._end = monotonic() + self.timeout
        self._pause = SHORTEST

    def rounds(self) -> Iterator[None]:
        """One turn at once, then one after each pause, and a last one when the time is over."""
        yield
        while (left := self._end - monotonic()) > 0:
            sleep(min(self._pause, left))
            self._pause = min(LONGEST, self._pause * 1.3)
            yield

    def hurry(self) -> None:
        """Something happened: ask soon again."""
        self._pause = SHORTEST


def until_end(client: Client, number: str, pace: Pace, console: Console) -> Json:
    """The promotion when it has ended, or as it was when the time was over. Each change is noted on stderr."""
    promotion: Json = {}
    seen, outages = "", 0
    for _ in pace.rounds():
        try:
            promotion, outages = client.get(f"promotions/{number}/"), 0
        except Failure as failure:
            outages += 1
            if failure.code != exits.UNREACHABLE or outages >= OUTAGES or not promotion:
                raise
            continue
        now = progress_of(promotion)
        if now != seen:
            console.note(now)
            seen = now
            pace.hurry()
        if promotion.get("status") in exits.ENDS:
            break
    return promotion


def progress_of(promotion: Json) -> str:
    """One line on how far it is, with what it waits for or which step runs."""
    parts = [headline(promotion)]
    if promotion.get("status") == "waiting":
        gates = [text_of(verdict.get("gate")) for verdict in blocking(promotion.get("verdicts") or [])]
        parts += [f"for {', '.join(gates)}"] if gates else []
    running = [step for step in promotion.get("steps") or [] if step_status(step) == "running"]
    parts += [f"step {step_name(step)}" for step in running[:1]]
    return ": ".join(parts) + "."


def step_name(step: Json) -> str:
    """How a person calls the step."""
    return text_of(step.get("name") or step.get("kind") or step.get("number"))


def step_status(step: Json) -> str:
    """pending, running, succeeded, failed, errored, skipped or aborted."""
    return str(step.get("status") or step.get("state") or "-")


def headline(promotion: Json) -> str:
    """Which promotion this is, and its status."""
    what = f"{text_of(promotion.get('application'))} {text_of(promotion.get('version'))}"
    return f"Promotion {promotion.get('id')} ({what} to {text_of(promotion.get('phase'))}) {verb(promotion)}"


def verb(promotion: Json) -> str:
    """The status as the verb of a sentence."""
    status = text_of(promotion.get("status"))
    if status in ("waiting", "queued", "running", "verifying"):
        return f"is {status}"
    if status == "errored":
        return "errored: its outcome is unknown, and a person must say it (relman resolve)"
    return status if status in ("succeeded", "failed", "expired") else f"was {status}"


def conclude(promotion: Json, timeout: float, console: Console, client: Client) -> int:
    """Say how it ended, or that it has not, and return the exit code for that."""
    status = promotion.get("status")
    code = exits.ENDS.get(str(status), exits.TIMEOUT)
    if console.as_json:
        console.answer(promotion)
        return code
    console.say(headline(promotion) + ".")
    if promotion.get("reason"):
        console.say(text_of(promotion["reason"]))
    if code == exits.TIMEOUT:
        console.note(f"It has not ended in {timeout:.0f} s; it goes on without this command.")
        say_verdicts(promotion.get("verdicts") or [], console, client.url)
    return code
