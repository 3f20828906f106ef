"""`relman lock` and `relman unlock`: hold what would start in an environment or in a whole phase, and let it go on."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from relman.cli import exits
from relman.cli.client import Client, segment
from relman.cli.commands.promote import moment
from relman.cli.console import Console, local, text_of
from relman.cli.failure import usage

Json = dict[str, Any]


def lock(args: Namespace, console: Console, client: Client) -> int:
    """Nothing starts there from now on; what runs goes on."""
    where, address = _place(args)
    body: Json = {"reason": args.reason}
    if args.until:
        body["until"] = moment(args.until)
    made: Json = client.post(f"{address}lock/", body)
    end = f" until {local(made['until'])}" if made.get("until") else ""
    return _said(made, f"{where} is locked{end}: {text_of(made.get('reason'))}", console)


def unlock(args: Namespace, console: Console, client: Client) -> int:
    """What it held goes on, in order."""
    where, address = _place(args)
    released: Json = client.post(f"{address}unlock/", {})
    return _said(released, f"{where} is no longer locked; what it held goes on.", console)


def _place(args: Namespace) -> tuple[str, str]:
    """What is meant, in words and as an address: APPLICATION PHASE, or all of a phase as PIPELINE/PHASE."""
    if args.phase:
        return f"{args.where} in {args.phase}", f"environments/{segment(args.where)}/{segment(args.phase)}/"
    pipeline, sign, phase = args.where.partition("/")
    if not (pipeline and sign and phase):
        raise usage("Say where: an application and its phase (shop live), or a whole phase (shop-pipeline/live).")
    return f"All of {phase}", f"pipelines/{segment(pipeline)}/phases/{segment(phase)}/"


def _said(answer: Json, sentence: str, console: Console) -> int:
    console.answer(answer) if console.as_json else console.say(sentence)
    return exits.OK
