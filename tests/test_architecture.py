"""Rules of the house that no import contract can express."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("relman", "phases", "releases")
LONGEST_MODULE, LONGEST_FUNCTION = 400, 40
EXCEPTIONS: set[str] = set()
"""Modules and functions over the budget, each with its reason. It only ever shrinks."""


def modules() -> Iterator[Path]:
    for room in ROOMS:
        yield from (path for path in (ROOT / room).rglob("*.py") if "migrations" not in path.parts)


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_every_module_and_function_fits_its_budget() -> None:
    over = set()
    for path in modules():
        name = path.relative_to(ROOT).as_posix()
        if len(path.read_text().splitlines()) > LONGEST_MODULE:
            over.add(name)
        over |= {f"{name}:{function}" for function, lines in functions(path) if lines > LONGEST_FUNCTION}
    assert over == EXCEPTIONS


def test_the_status_of_a_promotion_has_one_writer() -> None:
    """Only `releases.transitions` assigns it; a rule that is written twice is two rules."""
    writes = re.compile(r"promotion\.status\s*=[^=]|Promotion\.objects[^\n]*\.update\([^)]*\bstatus=")
    writers = {
        path.relative_to(ROOT).as_posix()
        for path in modules()
        if writes.search(path.read_text()) and path.parent.name != "models"
    }
    assert writers <= {"releases/transitions.py"}


def test_no_signals_of_django_start_work() -> None:
    uses = {path.name for path in modules() if re.search(r"django\.db\.models\.signals|@receiver\b", path.read_text())}
    assert uses == set()


def test_templates_hold_no_script_and_no_style() -> None:
    """The content security policy would refuse them in the browser; here it is said earlier."""
    inline = re.compile(r"<script(?![^>]*\bsrc=)|<style\b|\sstyle=\"|\son[a-z]+=\"", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in (ROOT / "templates").rglob("*.html")
        for match in inline.finditer(path.read_text())
    ]
    assert found == []


def test_locks_hold_hashes_and_name_no_host() -> None:
    for name in ("runtime", "dev"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        assert "--hash=sha256:" in text
        assert not re.search(r"https?:|--index|--find-links|@ ", text)


def test_make_alone_lists_what_there_is() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = re.findall(r"^  make ([a-z-]+)", done.stdout, re.MULTILINE)
    assert {"demo", "demo-reset", "test", "lint", "format", "bench", "lock"} <= set(listed)


def tracked() -> list[Path]:
    """What the repository holds; nothing where it is an unpacked archive without one."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    names = listed.stdout.decode().split("\0") if listed.returncode == 0 else []
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_no_file_holds_what_a_merge_left_open() -> None:
    marks = re.compile(rb"^(?:<{7}|>{7}|\|{7})(?: .*)?$", re.MULTILINE)
    assert marks.search(b"a\n" + b"<" * 7 + b" HEAD\n") and not marks.search(b"=======\n")
    found = [path for path in tracked() if b"\0" not in (text := path.read_bytes()) and marks.search(text)]
    assert found == []
