"""A drill in a process of its own, told by lines what to do: so that pytest's own database is not the one that dies.

One JSON line in ({"rows": ["1"], "seed": 7}), one out (the reports). End of input ends it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tests.faults.drill import Drill, Report
from tests.web import ROOT


class Conductor:
    """The other end: starts the drill, and asks it for rows."""

    def __init__(self, seed: int) -> None:
        command = [sys.executable, "-m", "tests.faults.conductor", str(seed)]
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RELMAN_", "PYTEST_", "DATABASE", "BROKER"))}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=kept, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def rows(self, numbers: Sequence[str], seed: int) -> dict[str, dict[str, Any]]:
        """Play these rows; their reports."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"rows": numbers, "seed": seed}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "The drill ended."
        reports: dict[str, dict[str, Any]] = json.loads(line)
        return reports

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        try:
            self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def main() -> None:
    """Play what is asked for."""
    from tests.faults.people import TOGETHER
    from tests.faults.rows import STORMS

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else writes must not be taken for an answer
    drill = Drill(int(sys.argv[1]), each=3, brief=True)
    try:
        for line in sys.stdin:
            wish = json.loads(line)
            try:
                reports = drill.rows({name: {**STORMS, **TOGETHER}[name] for name in wish["rows"]}, wish["seed"])
            except Exception:
                reports = {name: Report(name, wrong=[traceback.format_exc()]) for name in wish["rows"]}
            answers.write(json.dumps({name: asdict(report) for name, report in reports.items()}) + "\n")
            answers.flush()
    finally:
        drill.close()


if __name__ == "__main__":
    main()
