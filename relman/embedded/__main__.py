"""`python -m relman.embedded COMMAND ...` runs a command with a PostgreSQL and a Valkey that end with it."""

import subprocess
import sys

from .throwaway import enter, stack


def main(command: list[str]) -> int:
    """The command's exit code."""
    if not command:
        print(__doc__)
        return 2
    with stack() as variables:
        enter(variables)
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
