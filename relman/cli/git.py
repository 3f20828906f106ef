"""What git knows about a directory: its commit, that commit's time, the changes of a range. Nothing without git."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from relman.cli.failure import usage

MOST_CHANGES = 500
KINDS = {"feat": "feature", "feature": "feature", "fix": "fix", "bugfix": "fix", "perf": "performance"}
CONVENTIONAL = re.compile(r"^(?P<kind>[a-z]+)(\([^)]*\))?(?P<breaking>!)?:\s+(?P<title>.+)$")
TICKET = re.compile(r"\b[A-Z][A-Z0-9]{1,9}-\d+\b|(?<!\w)#\d+\b")


def commit(directory: Path) -> str:
    """The commit that `directory` stands on, "" where there is none."""
    return _ask(directory, "rev-parse", "--verify", "--quiet", "HEAD") or ""


def commit_time(directory: Path) -> int | None:
    """When that commit was made, in seconds since 1970."""
    text = _ask(directory, "log", "-1", "--format=%ct") or ""
    return int(text) if text.isdigit() else None


def changes(directory: Path, span: str) -> list[dict[str, str]]:
    """One change item for each commit of `span` (newest first, merges left out, at most MOST_CHANGES)."""
    if span.startswith("-"):
        raise usage(f"'{span}' is not a range of commits. Write it like v1.3.0..HEAD.")
    wanted = ("log", "--no-merges", f"--max-count={MOST_CHANGES}", "--format=%s%x1f%an%x1f%b%x1e", span, "--")
    text = _ask(directory, *wanted)
    if text is None:
        raise usage(f"git does not know the range '{span}' in {directory}. Does the checkout hold its tags?")
    return [_change(record) for record in text.split("\x1e") if record.strip()]


def _change(record: str) -> dict[str, str]:
    subject, author, body = [*record.strip("\n").split("\x1f"), "", ""][:3]
    found = CONVENTIONAL.match(subject)
    word = found["kind"] if found else ""
    ticket = TICKET.search(subject) or TICKET.search(body)
    return {
        "title": (found["title"] if found else subject)[:300],
        "kind": "breaking" if found and found["breaking"] else KINDS.get(word, word),
        "ticket": ticket[0] if ticket else "",
        "author": author[:150],
    }


def _ask(directory: Path, *words: str) -> str | None:
    """What git prints, None where it fails or is missing."""
    command = ["git", "-C", str(directory), *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
