"""Tables for spreadsheets."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest

from relman.sheets import sheet


def read(text):
    return list(csv.reader(io.StringIO(text)))


def test_nothing_is_an_empty_cell_and_a_moment_is_iso():
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert read(sheet(["a", "b", "c"], [[None, "", moment]])) == [["a", "b", "c"], ["", "", moment.isoformat()]]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_what_somebody_wrote_is_no_formula(text):
    assert read(sheet(["a"], [[text]])) == [["a"], [f"'{text}"]]
