"""RelMan's worker with trapdoors: `celery -A tests.faults.worker worker`.

A file in FAULTS_POINTS, named after a point below, makes the first process that comes by send itself the signal that
the file holds (KILL, STOP), exactly there. FAULTS_CLOCK shifts this process's clock: seconds, or `jumping`.
FAULTS_PLAN makes it newer code, that knows plans of this format.
"""

from __future__ import annotations

import datetime
import functools
import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

POINTS = Path(os.environ["FAULTS_POINTS"])
_real_time = time.time
_now = {"promotion": 0}


def trap(point: str) -> None:
    """Fall here, if the door is open."""
    try:
        os.rename(POINTS / point, mine := POINTS / f".{point}.{os.getpid()}")
    except FileNotFoundError:
        return
    sign = mine.read_text()
    fell = {
        "point": point,
        "pid": os.getpid(),
        "promotion": _now["promotion"],
        "at": time.clock_gettime(time.CLOCK_REALTIME),
        "sign": sign,
    }
    with (POINTS / ".fallen").open("a") as file:
        file.write(json.dumps(fell) + "\n")
    os.kill(os.getpid(), signal.Signals[f"SIG{sign}"])


def before(owner: Any, name: str, point: Callable[..., str | None]) -> None:
    """A trapdoor before a function; `point` is asked with the function's arguments."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        where = point(*args, **kwargs)
        if where:
            trap(where)
        return original(*args, **kwargs)

    setattr(owner, name, wrapped)


def after(owner: Any, name: str, point: Callable[[Any], str | None]) -> None:
    """A trapdoor after a function; `point` is asked with its result."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        where = point(result)
        if where:
            trap(where)
        return result

    setattr(owner, name, wrapped)


def remember(promotion_id: int) -> None:
    """Which promotion this process visits."""
    _now["promotion"] = promotion_id


def open_doors() -> None:
    """Put a trapdoor at every boundary."""
    from phases.drivers.ledger import Ledger
    from phases.drivers.scripted import ScriptedDriver
    from releases import transitions
    from releases.engine import boundary, ending, lease, runner, steps, sweep

    before(lease, "claim", lambda promotion_id, **_: remember(promotion_id))
    after(lease, "_hold", lambda claim: "claiming")
    after(lease, "claim", lambda claim: "claimed" if claim else None)
    after(steps.Work, "begin", lambda _: "begun")
    before(ScriptedDriver, "run", lambda *_: "before-effect")
    after(Ledger, "append", lambda _: "in-effect")
    after(ScriptedDriver, "run", lambda _: "after-effect")
    after(steps.Work, "timed", lambda _: "unsaved")
    before(boundary, "write", lambda *_, ended=None, **__: "saving" if ended else "beginning")
    after(steps.Work, "save", lambda _: "saved")
    before(runner.Visit, "rest", lambda *_: "resting")
    before(transitions, "announce", lambda promotion: f"advancing-{promotion.status}")
    after(ending, "end", lambda _: "ended")
    before(ending, "announce", lambda *_: "cleaning")
    after(ending, "cleaned", lambda _: "cleaned")
    after(lease, "hand_back", lambda _: "handed-back")
    before(sweep, "expire", lambda: "sweeping")


def shift_clock(how: str) -> None:
    """Another time than everybody else's, for whatever in this process asks Python."""
    dice = random.Random(os.getpid())

    def offset() -> float:
        return dice.uniform(-3600, 3600) if how == "jumping" else float(how)

    class Shifted(datetime.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls.fromtimestamp(_real_time() + offset(), tz)

    time.time = lambda: _real_time() + offset()
    datetime.datetime = Shifted  # type: ignore[misc]  # for everybody in this process


if os.environ.get("FAULTS_CLOCK"):
    shift_clock(os.environ["FAULTS_CLOCK"])

import django  # noqa: E402 - with the clock as it is now, like the next

from relman.celery import app  # noqa: E402

django.setup()
if os.environ.get("FAULTS_PLAN"):
    from releases import formats

    formats.PLAN = int(os.environ["FAULTS_PLAN"])
open_doors()
__all__ = ["app"]
