"""Keeps the logs of deployed applications within their size: a listener to the supervisor's clock.

Applications hold their log open, so it is copied and emptied, not moved.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

LARGEST = 5 * 1024 * 1024
KEPT = 2


def main() -> None:
    """Answer each tick of the supervisor until it goes away."""
    control = Path(sys.argv[1])
    while True:
        sys.stdout.write("READY\n")
        sys.stdout.flush()
        header = sys.stdin.readline()
        if not header:
            return
        sys.stdin.read(int(dict(pair.split(":") for pair in header.split())["len"]))
        rotate_all(control)
        sys.stdout.write("RESULT 2\nOK")
        sys.stdout.flush()


def rotate_all(control: Path, largest: int = LARGEST) -> None:
    """Every log that outgrew its size starts anew; one that cannot be written must not end the others."""
    for log in control.glob("*/log/*.log"):
        try:
            if log.stat().st_size > largest:
                _rotate(log)
        except OSError:
            continue


def _rotate(log: Path) -> None:
    for number in range(KEPT, 1, -1):
        older = log.with_name(f"{log.name}.{number - 1}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))
    copy = log.with_name(f"{log.name}.1")
    shutil.copyfile(log, copy)
    copy.chmod(0o600)
    os.truncate(log, 0)


if __name__ == "__main__":
    main()
