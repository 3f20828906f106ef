"""`make drill` ends with its one line, whatever happens before."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable, Mapping

import pytest

from tests.faults import __main__ as command
from tests.faults.drill import Report


class FakeDrill:
    """A drill whose rows break nothing, but do what they are told to."""

    closes = True
    judges = True

    def __init__(self, seed: int, **_: int) -> None:
        self.seed = seed

    def play(self, works: Mapping[str, Callable[..., None]], reports: Mapping[str, Report], seed: int) -> None:
        for name, work in works.items():
            work(self, reports[name], random.Random(seed))
            self.judge(reports[name])

    def judge(self, report: Report) -> Report:
        if not self.judges:
            raise RuntimeError("No database.")
        report.count("seen by the checker")
        return report

    def close(self) -> None:
        if not self.closes:
            raise RuntimeError("It does not end.")


@pytest.fixture
def drill(monkeypatch, capsys):
    """Play these rows, once; the exit code, what was printed, and the last line."""
    before = {sign: signal.getsignal(sign) for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setattr(command, "Drill", FakeDrill)
    monkeypatch.setattr(sys, "argv", ["drill", "--seed", "1"])
    monkeypatch.setattr(FakeDrill, "closes", True)
    monkeypatch.setattr(FakeDrill, "judges", True)

    def run(*rows):
        monkeypatch.setattr(command, "chosen", lambda _: iter((row.__name__, row) for row in rows))
        code, printed = command.main(), capsys.readouterr().out
        return code, printed, printed.splitlines()[-1]

    yield run
    for sign, handler in before.items():
        signal.signal(sign, handler)


def well(_drill, report, _dice):
    report.count("a fault", 2)


def broken(_drill, report, _dice):
    report.count("a fault", 3)
    raise LookupError("The row is wrong.")


def ended_from_outside(_drill, report, _dice):
    report.count("a fault", 4)
    os.kill(os.getpid(), signal.SIGTERM)  # `timeout` sends two
    os.kill(os.getpid(), signal.SIGTERM)
    raise AssertionError("It went on.")


def harmful(_drill, report, _dice):
    report.count("a fault")
    report.lost = 1


def test_it_ends_with_the_tally(drill):
    code, _, last = drill(well, well)
    assert (code, last) == (0, "6 faults injected, 0 lost, 0 doubled, 0 recovered late")


def test_harm_is_counted_and_ends_with_one(drill):
    code, _, last = drill(well, harmful)
    assert (code, last) == (1, "5 faults injected, 1 lost, 0 doubled, 0 recovered late")


def test_a_row_that_breaks_off_is_judged_and_said_and_the_next_one_goes_on(drill):
    code, printed, last = drill(broken, well)
    assert (code, last) == (1, "7 faults injected, 0 lost, 0 doubled, 0 recovered late")
    assert "LookupError: The row is wrong." in printed and "WRONG: it broke off" in printed


def test_a_signal_ends_it_with_what_was_injected_and_judged_until_then(drill):
    code, printed, last = drill(well, ended_from_outside, well)
    assert (code, last) == (1, "8 faults injected, 0 lost, 0 doubled, 0 recovered late")
    assert "Ended by SIGTERM after 2 rows." in printed


def test_faults_that_nobody_could_judge_do_not_count(drill, monkeypatch):
    monkeypatch.setattr(FakeDrill, "judges", False)
    code, printed, last = drill(ended_from_outside)
    assert (code, last) == (1, "0 faults injected, 0 lost, 0 doubled, 0 recovered late")
    assert "4 faults could not be judged" in printed


def test_processes_that_do_not_end_do_not_swallow_it(drill, monkeypatch):
    monkeypatch.setattr(FakeDrill, "closes", False)
    code, printed, last = drill(well)
    assert (code, last) == (1, "3 faults injected, 0 lost, 0 doubled, 0 recovered late")
    assert "It does not end." in printed
