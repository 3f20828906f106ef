"""What people paste as changes, taken apart."""

from __future__ import annotations

import time

import pytest

from releases.forms import change_of


@pytest.mark.parametrize(
    "line,kind,title,ticket",
    [
        ("feature: Loyalty points (SHOP-2210)", "feature", "Loyalty points", "SHOP-2210"),
        ("FIX:Rounding(PAY-1)", "fix", "Rounding", "PAY-1"),
        ("Only words", "", "Only words", ""),
        ("Words (with more) behind", "", "Words (with more) behind", ""),
        ("Words (one) (TWO-2)", "", "Words (one)", "TWO-2"),
        ("feature:", "", "feature:", ""),
        ("feature: (SHOP-1)", "feature", "(SHOP-1)", ""),
        ("(SHOP-1)", "", "(SHOP-1)", ""),
        ("Nothing inside ()", "", "Nothing inside ()", ""),
        (f"Too long to be a ticket ({'x' * 65})", "", f"Too long to be a ticket ({'x' * 65})", ""),
        ("http://example.org/ is no kind", "http", "//example.org/ is no kind", ""),
        ("العربية: שלום (א-1)", "", "العربية: שלום", "א-1"),
        (")(", "", ")(", ""),
    ],
)
def test_a_line_is_taken_apart(line, kind, title, ticket):
    assert change_of(line) == {"kind": kind, "title": title, "ticket": ticket}


@pytest.mark.parametrize("line", [f"a{' ' * 4000}b", f"fix:{' ' * 4000}(", f"{'(' * 4000}x)", f"a{' ()' * 4000}b"])
def test_no_line_costs_more_than_its_length(line):
    began = time.thread_time()
    change_of(line)
    assert time.thread_time() - began < 5
