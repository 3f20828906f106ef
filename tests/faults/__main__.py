"""Fault drills at length: `python -m tests.faults [--runs 10] [--seed 1] [--rows 1,2,3]` (`make drill RUNS=10`).

A run goes through the rows once, each with a new seed. What went wrong is said as it is found; the last line is the
tally, whatever happens before it. Ends with 1 unless nothing was lost, doubled, wrong or late, and nobody ended it.

Ctrl-C (or SIGTERM, SIGHUP) ends the row that is played: what it had injected is still judged, and counted. A second
one, later than a moment after the first, leaves without a judgement.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

from tests.faults.drill import Drill, Report, Row

MOMENT = 3.0
"""Seconds in which further signals belong to the first: a shell and `timeout` both send theirs."""


class Ended(BaseException):
    """Somebody wants the drill to end."""


class Ear:
    """Hears the signals that end the drill, and raises Ended where the drill stands."""

    def __init__(self) -> None:
        self.heard = 0.0
        self.sign = ""
        self.deaf = False
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(sign, self.hear)

    def hear(self, number: int, _: Any) -> None:
        now = time.monotonic()
        if self.deaf or (self.heard and now - self.heard < MOMENT):
            return
        self.heard, self.sign = now, signal.Signals(number).name
        raise Ended


def main() -> int:
    """Run, and print the tally."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=1)
    options.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    options.add_argument("--rows", default="")
    wanted = options.parse_args()
    ear, reports, begin = Ear(), list[Report](), time.monotonic()
    drill: Drill | None = None
    whole = False
    try:
        drill = Drill(wanted.seed, each=6, workers=3, children=4)
        for run in range(wanted.runs):
            for name, row in chosen(wanted.rows):
                play(drill, name, row, wanted.seed + run, reports)
                if ear.heard:
                    raise Ended
        whole = True
    except Ended:
        print(f"Ended by {ear.sign} after {len(reports)} rows.", flush=True)
    except BaseException:
        print(f"The drill broke off:\n{traceback.format_exc()}", flush=True)
    finally:
        ear.deaf = True
        whole = close(drill) and whole
        print(f"{wanted.runs} runs from seed {wanted.seed}, {time.monotonic() - begin:.0f} s", flush=True)
        tally(reports)
    return int(not whole or not all(report.good for report in reports))


def chosen(rows: str) -> Iterator[tuple[str, Row]]:
    """The rows that were asked for; all of them by default."""
    from tests.faults.people import TOGETHER
    from tests.faults.rows import STORMS

    known = {**STORMS, **TOGETHER}
    yield from known.items() if not rows else ((name, known[name]) for name in rows.split(","))


def play(drill: Drill, name: str, row: Row, seed: int, reports: list[Report]) -> None:
    """One row, whose report counts even when it, or somebody, breaks it off: then it is judged all the same."""
    begin, report = time.monotonic(), Report(row.__name__)
    reports.append(report)
    try:
        drill.play({name: row}, {name: report}, seed)
    except BaseException as error:
        sentence = "ended before its time" if isinstance(error, Ended) else f"broke off:\n{traceback.format_exc()}"
        print(f"row {name}, seed {seed} {sentence}", flush=True)
        if not isinstance(error, Ended):
            report.wrong.append("it broke off")
        judge_anyway(drill, report)
    say(name, seed, report, time.monotonic() - begin)


def judge_anyway(drill: Drill, report: Report) -> None:
    """What had been injected until then must not have done harm either. Unjudged faults are not counted."""
    try:
        drill.judge(report)
    except BaseException as error:
        report.wrong.append(f"{report.injected} faults could not be judged: {type(error).__name__}: {error}")
        report.injected = 0


def say(name: str, seed: int, report: Report, took: float) -> None:
    """One line for a row, and one for each thing that was wrong."""
    print(
        f"row {name}, seed {seed}: {report.injected} faults, {report.asked} promotions, {took:.0f} s, slowest "
        f"{report.slowest:.1f} s, recognised {report.repeated}, workers' memory {report.memory:.0f} MB; "
        f"{report.facts or ''}",
        flush=True,
    )
    for sentence in report.wrong:
        print(f"  WRONG: {sentence}", flush=True)


def close(drill: Drill | None) -> bool:
    """End every process; a failure here must not swallow the tally."""
    try:
        if drill is not None:
            drill.close()
    except Exception:
        print(f"The drill's processes did not all end:\n{traceback.format_exc()}", flush=True)
        return False
    return True


def tally(reports: Sequence[Report]) -> None:
    """The one line."""
    injected, lost = sum(r.injected for r in reports), sum(r.lost for r in reports)
    doubled, late = sum(r.doubled for r in reports), sum(r.late for r in reports)
    print(f"{injected} faults injected, {lost} lost, {doubled} doubled, {late} recovered late", flush=True)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # no thread that still waits for a dead database has a word after the tally
