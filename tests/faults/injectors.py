"""The faults, one function each: what is broken, and for how long. Called with the drill, its report, and dice."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress

from tests.faults.drill import Drill, Report
from tests.faults.stack import Worker

LEASE = 3.0
KILL_POINTS = (
    "claiming",
    "claimed",
    "beginning",
    "begun",
    "before-effect",
    "in-effect",
    "after-effect",
    "unsaved",
    "saving",
    "saved",
    "resting",
    "advancing-running",
    "advancing-verifying",
    "advancing-succeeded",
    "ended",
    "cleaning",
    "cleaned",
    "handed-back",
)
"""Every boundary of a visit: see `tests.faults.worker`."""
POINTS_IN_STEPS = ("begun", "before-effect", "in-effect", "after-effect", "unsaved", "saving", "advancing-verifying")
"""Inside a step, and in the transaction that ends the last one."""


def somebody(drill: Drill, dice: random.Random) -> Worker | None:
    alive = drill.stack.alive()
    return dice.choice(alive) if alive else None


def trapdoor(drill: Drill, report: Report, dice: random.Random) -> None:
    """kill -9 exactly at a boundary, for whoever comes by first. Counted when somebody falls."""
    for point in dice.sample(KILL_POINTS, len(KILL_POINTS)):
        if drill.stack.arm(point):
            return


def child(drill: Drill, report: Report, dice: random.Random) -> None:
    """kill -9 of a process that visits promotions, anywhere."""
    worker = somebody(drill, dice)
    children = worker.children() if worker else []
    if children:
        with suppress(ProcessLookupError):
            os.kill(pid := dice.choice(children), signal.SIGKILL)
            report.count("kill -9 of a worker's child")
            drill.hit([pid])


def worker(drill: Drill, report: Report, dice: random.Random) -> None:
    """kill -9 of a whole worker; another one comes after a while."""
    one = somebody(drill, dice)
    if one:
        children = one.children()
        one.kill()
        report.count("kill -9 of a whole worker")
        drill.hit(children)
    drill.man()


def frozen(drill: Drill, report: Report, dice: random.Random) -> None:
    """A child stops at a boundary inside a step for twice its lease, then goes on as a zombie."""
    before = len(drill.stack.fallen())
    if not drill.stack.arm(dice.choice(POINTS_IN_STEPS), "STOP"):
        return
    end = time.monotonic() + 10
    while len(drill.stack.fallen()) == before and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(2 * LEASE)
    for fell in drill.stack.fallen()[before:]:
        if fell["sign"] == "STOP":
            with suppress(ProcessLookupError):
                os.kill(fell["pid"], signal.SIGCONT)


def partitioned(drill: Drill, report: Report, dice: random.Random) -> None:
    """A whole worker stops for twice its lease, then comes back with stale tokens."""
    one = somebody(drill, dice)
    if one:
        one.signal(signal.SIGSTOP)
        report.count("SIGSTOP of a whole worker for twice the lease")
        drill.hit(one.children())
        time.sleep(2 * LEASE)
        one.signal(signal.SIGCONT)


def rolling(drill: Drill, report: Report, dice: random.Random) -> None:
    """SIGTERM to one worker while its successor starts."""
    one = somebody(drill, dice)
    if one:
        one.process.send_signal(signal.SIGTERM)
        report.count("rolling restart of a worker")
        drill.stack.worker(drill.more, children=drill.children).await_ready()
        one.process.wait(180)


def broker_emptied(drill: Drill, report: Report, dice: random.Random) -> None:
    """The broker is killed and comes back with nothing in it."""
    drill.stack.kill("valkey")
    report.count("broker kill -9, restarted empty")
    drill.stack.up("valkey")
    drill.hit()


def broker_away(drill: Drill, report: Report, dice: random.Random) -> None:
    """The broker is gone for some seconds."""
    drill.stack.kill("valkey")
    report.count("broker gone for seconds")
    time.sleep(dice.uniform(2, 5))
    drill.stack.up("valkey")
    drill.hit()


def database_killed(drill: Drill, report: Report, dice: random.Random) -> None:
    """PostgreSQL is killed in whatever it was doing, and comes back."""
    drill.stack.kill("postgres")
    report.count("PostgreSQL kill -9")
    drill.stack.up("postgres")
    drill.hit()


def messages(drill: Drill, report: Report, dice: random.Random) -> None:
    """Every message again, three times, shuffled: those of promotions that ended long ago too."""
    from releases.dispatch import send

    rung = list(drill.world.accepted)[-60:] * 3
    dice.shuffle(rung)
    with suppress(OSError, Exception):
        for promotion in rung:
            send(promotion)
        report.count("every message three times, shuffled")


def connections_reset(drill: Drill, report: Report, dice: random.Random) -> None:
    """All connections to the broker are cut, twenty times in ten seconds."""
    for _ in range(20):
        if drill.stack.valkey.ask("CLIENT KILL TYPE normal SKIPME yes"):
            report.count("broker connections reset")
        time.sleep(0.25 if drill.brief else 0.5)


def black_hole(drill: Drill, report: Report, dice: random.Random) -> None:
    """The broker accepts connections and answers nothing for a while; those of before stay silent for ever."""
    assert drill.proxy is not None
    drill.proxy.swallow()
    report.count("broker black-holed")
    end = time.monotonic() + (6 if drill.brief else 20)
    while time.monotonic() < end:
        drill.ask(report, dice)
        time.sleep(1.5)
    drill.proxy.answer()
    drill.hit()
