"""`python -m relman.embedded.reset` forgets an installation: its database, artifacts, deployments, keys and logs."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path

from .folders import PRIVATE
from .place import held, here
from .process import StartFailed

FORGOTTEN = (*PRIVATE, "postgres", "postgres.new", "valkey", "targets", "static")
"""Named one by one: RELMAN_HOME may be a folder that holds other things too."""


def main() -> int:
    """The exit code. Refuses, with a sentence, while RelMan runs there."""
    try:
        home = here().home
        if not home.exists():
            print(f"There is nothing to forget in {home}.")
            return 0
        with held(home):
            _forget_deployments(home)
            for name in FORGOTTEN:
                shutil.rmtree(home / name, ignore_errors=True)
            (home / "demo-accounts.json").unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                home.rmdir()
    except (StartFailed, OSError) as problem:
        print(f"Nothing was forgotten: {problem}", file=sys.stderr)
        return 1
    print(f"Forgotten: {home}")
    return 0


def _forget_deployments(home: Path) -> None:
    """The local driver notes where it unpacks, when that is elsewhere: one folder for each environment."""
    note = home / "targets" / "control" / "place"
    elsewhere = os.environ.get("RELMAN_TARGETS") or (note.read_text() if note.exists() else "")
    if elsewhere:
        for environment in Path(elsewhere).glob("e[0-9]*"):
            shutil.rmtree(environment, ignore_errors=True)
        with contextlib.suppress(OSError):
            Path(elsewhere).rmdir()


if __name__ == "__main__":
    sys.exit(main())
