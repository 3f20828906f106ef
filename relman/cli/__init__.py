"""The `relman` command: a client of the REST API that knows no Django and speaks only HTTP.

Nothing heavy is imported here: the command's modules are loaded when it is known which of them is wanted.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (see `relman.cli.exits`)."""
    from relman.cli.entry import run

    return run(argv)
