"""`relman wait`: the exit code tells how the promotion ended."""

from __future__ import annotations

from argparse import Namespace

from relman.cli.client import Client
from relman.cli.console import Console
from relman.cli.follow import Pace, conclude, until_end


def run(args: Namespace, console: Console, client: Client) -> int:
    """Wait for the end of one promotion, `--timeout` at most."""
    promotion = until_end(client, args.promotion, Pace(args.timeout), console)
    return conclude(promotion, args.timeout, console, client)
