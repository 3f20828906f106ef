"""What follows from a step's result: the retry, the next step, or the end. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

What = Literal["next", "again", "retry", "failed", "errored"]


@dataclass(frozen=True)
class Outcome:
    """What the runner does next; `wait` in seconds."""

    what: What
    reason: str = ""
    wait: float = 0.0


FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0


def after_transient(attempts: int, limit: int, reason: str, dice: random.Random | None = None) -> Outcome:
    """Growing waits with full jitter (at most 60 s) up to the step's limit, then failed."""
    if attempts >= limit:
        return Outcome("failed", f"{reason} Tried {attempts} times.")
    span = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempts - 1))
    spread = (dice or random).uniform(0.5, 1.0)
    return Outcome("retry", reason, span * spread)


def after_crash(resume: str, probed: bool) -> Literal["run", "probe", "ask"]:
    """How a step that was in flight when its worker died goes on."""
    if resume == "idempotent":
        return "run"
    if resume == "probe" and not probed:
        return "probe"
    return "run" if resume == "probe" else "ask"


def cleanup_wait(attempts: int) -> float:
    """Clean-up is repeated until done: seconds until the next try."""
    return min(LONGEST_WAIT, 2.0 ** min(attempts, 6))
