"""Verbs on one release that is there: yank, quarantine."""

from __future__ import annotations

from argparse import Namespace

from relman.cli import exits
from relman.cli.client import Client, segment
from relman.cli.console import Console, text_of


def yank(args: Namespace, console: Console, client: Client) -> int:
    """No new promotions of it."""
    return _do("yank", args, console, client)


def quarantine(args: Namespace, console: Console, client: Client) -> int:
    """Nor of what waits or is queued."""
    return _do("quarantine", args, console, client)


def _do(verb: str, args: Namespace, console: Console, client: Client) -> int:
    address = f"applications/{segment(args.application)}/releases/{segment(args.version)}/{verb}/"
    release = client.post(address, {"reason": args.reason})
    if console.as_json:
        console.answer(release)
        return exits.OK
    console.say(f"{args.application} {text_of(release.get('version'))} is {text_of(release.get('state'))}.")
    console.note(f"Where it is: relman status {args.application}")
    return exits.OK
