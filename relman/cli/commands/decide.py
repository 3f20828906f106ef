"""Verbs on one promotion that is there: approve, reject, withdraw, cancel, abort, expedite, resolve."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from relman.cli import exits
from relman.cli.client import Client
from relman.cli.console import Console, text_of
from relman.cli.follow import headline
from relman.cli.queue import say_queue
from relman.cli.verdicts import say_verdicts


def approve(args: Namespace, console: Console, client: Client) -> int:
    """Approve what the promotion is now: its seal goes along, so that a change in between is a conflict, not a yes."""
    seal = args.seal or client.get(f"promotions/{args.promotion}/").get("seal")
    return _do("approve", args, console, client, comment=args.comment, seal=seal)


def reject(args: Namespace, console: Console, client: Client) -> int:
    """Say no, with the reason; this ends the promotion."""
    return _do("reject", args, console, client, comment=args.comment)


def withdraw(args: Namespace, console: Console, client: Client) -> int:
    """Take one's own approval back."""
    return _do("withdraw", args, console, client)


def cancel(args: Namespace, console: Console, client: Client) -> int:
    """Withdraw what has not started."""
    return _do("cancel", args, console, client)


def abort(args: Namespace, console: Console, client: Client) -> int:
    """Stop what runs."""
    return _do("abort", args, console, client)


def expedite(args: Namespace, console: Console, client: Client) -> int:
    """Put it in front of the queue."""
    return _do("expedite", args, console, client, reason=args.reason)


def resolve(args: Namespace, console: Console, client: Client) -> int:
    """Say how it ended."""
    return _do("resolve", args, console, client, **{"as": args.outcome, "comment": args.comment})


def _do(verb: str, args: Namespace, console: Console, client: Client, **body: Any) -> int:
    given = {name: value for name, value in body.items() if value}
    promotion = client.post(f"promotions/{args.promotion}/{verb}/", given)
    if console.as_json:
        console.answer(promotion)
        return exits.OK
    console.say(headline(promotion) + ".")
    if promotion.get("reason"):
        console.say(text_of(promotion["reason"]))
    if promotion.get("status") == "waiting":
        say_verdicts(promotion.get("verdicts") or [], console, client.url)
    say_queue(promotion, console)
    return exits.OK
