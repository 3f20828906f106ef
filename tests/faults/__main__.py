"""Fault drills at length: `python -m tests.faults [--runs 10] [--seed 1] [--rows 1,2,3]` (`make drill RUNS=10`).

A run goes through the rows once, each with a new seed. What went wrong is said as it is found; the last line is the
tally. Ends with 1 unless nothing was lost, doubled, wrong or late.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
from collections.abc import Iterator

from tests.faults.drill import Drill, Report, Row


def main() -> int:
    """Run, and print the tally."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=1)
    options.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    options.add_argument("--rows", default="")
    wanted = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was counted until then is still said
    drill = Drill(wanted.seed, each=6, workers=2)
    reports: list[Report] = []
    try:
        for run in range(wanted.runs):
            for report in one_run(drill, wanted.rows.split(",") if wanted.rows else [], wanted.seed + run):
                reports.append(report)
    finally:
        drill.close()
        tally(reports)
    return int(not all(report.good for report in reports))


def one_run(drill: Drill, rows: list[str], seed: int) -> Iterator[Report]:
    """Each row once."""
    from tests.faults.people import TOGETHER
    from tests.faults.rows import STORMS

    for number, row in {**STORMS, **TOGETHER}.items():
        if rows and number not in rows:
            continue
        begin = time.monotonic()
        report = played(drill, row, seed)
        took = time.monotonic() - begin
        print(
            f"row {number}, seed {seed}: {report.injected} faults, {report.asked} promotions, {took:.0f} s, slowest "
            f"{report.slowest:.1f} s, recognised {report.repeated}; {report.facts or ''}",
            flush=True,
        )
        for sentence in report.wrong:
            print(f"  WRONG: {sentence}", flush=True)
        yield report


def played(drill: Drill, row: Row, seed: int) -> Report:
    """One row; when the drill itself breaks off, that is wrong, and the next row goes on."""
    try:
        return drill.row(row.__name__, row, seed)
    except Exception:
        return Report(row.__name__, wrong=[traceback.format_exc()])


def tally(reports: list[Report]) -> None:
    """The one line."""
    injected, lost = sum(r.injected for r in reports), sum(r.lost for r in reports)
    doubled, late = sum(r.doubled for r in reports), sum(r.late for r in reports)
    print(f"{injected} faults injected, {lost} lost, {doubled} doubled, {late} recovered late", flush=True)


if __name__ == "__main__":
    sys.exit(main())
