"""Printing: tables fit, colour only where it is wanted, times with their zone, no wait for Django."""

from __future__ import annotations

import io
import subprocess
import sys
import time

import pytest

from relman.cli.console import Console, clean, fit, local, squeeze, width


class Terminal(io.StringIO):
    """A terminal that keeps what it shows."""

    def isatty(self) -> bool:
        """Yes."""
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 40 columns."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def test_a_table_fits_the_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    Console(out=terminal).table(("NAME", "TEXT"), [("shop", "x" * 100), ("書店", None)])
    lines = terminal.getvalue().splitlines()
    assert all(width(line) <= 40 for line in lines)
    assert lines[1].endswith("…")
    assert lines[2] == "書店  -"


def test_elsewhere_a_table_is_whole() -> None:
    out = io.StringIO()
    Console(out=out).table(("NAME", "TEXT"), [("shop", "x" * 300)])
    assert "x" * 300 in out.getvalue()


def test_colour_is_for_terminals(terminal: Terminal) -> None:
    Console(out=terminal).table(("STATUS",), [("succeeded",)])
    assert "\x1b[32msucceeded\x1b[0m" in terminal.getvalue()
    out = io.StringIO()
    Console(out=out).table(("STATUS",), [("succeeded",)])
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_declined(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    Console(out=terminal).table(("STATUS",), [("succeeded",)])
    assert "\x1b" not in terminal.getvalue()


def test_what_others_wrote_cannot_steer_a_coloured_terminal(terminal: Terminal) -> None:
    console = Console(out=terminal)
    console.say(console.paint("\x1b[2Jhi", "good") + "\x1b]8;;http://evil\x07")
    assert "\x1b[2J" not in terminal.getvalue()
    assert "\x1b]" not in terminal.getvalue()
    assert clean("a\u202eb\x9bc") == "a\ufffdb\ufffdc"


def test_cells_are_cut_by_columns() -> None:
    assert fit("書店書店", 5) == "書店…"
    assert fit("abc", 5) == "abc  "
    assert squeeze([10, 100], 60) == [10, 48]
    assert sum(squeeze([100, 100, 100], 50)) == 46


def test_times_are_local_with_their_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert local("2026-07-01T12:00:00Z") == "2026-07-01 14:00:00 CEST"
        assert local(None) == "-"
        assert local("soon") == "soon"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_command_knows_neither_django_nor_anything_else_of_relman() -> None:
    program = (
        "import sys, pkgutil, importlib, relman.cli.entry, relman.cli.commands as c\n"
        "for m in pkgutil.iter_modules(c.__path__): importlib.import_module('relman.cli.commands.' + m.name)\n"
        "ours = [m for m in sys.modules if m.split('.')[0] in ('relman', 'phases', 'releases', 'django', 'celery')]\n"
        "print([m for m in ours if m != 'relman' and not m.startswith('relman.cli')])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_names_every_command_and_code() -> None:
    done = subprocess.run([sys.executable, "-m", "relman.cli", "--help"], capture_output=True, text=True, check=True)
    assert all(word in done.stdout for word in ("publish", "rollback", "RELMAN_TOKEN", "16 superseded"))


def test_a_reader_that_leaves_early_is_no_error() -> None:
    program = "import sys; from relman.cli.console import Console; from relman.cli import entry\n" + (
        "entry._dispatch = lambda a, c: [c.say('x' * 100) for _ in range(10**5)] and 0\nsys.exit(entry.run(['board']))"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", f'"{sys.executable}" -c "$0" | head -1', program], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
