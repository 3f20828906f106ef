"""Verbs that make a new promotion: promote, rollback, revert, adopt, retry. All can wait for its end."""

from __future__ import annotations

import re
from argparse import Namespace
from datetime import UTC, datetime, timedelta
from typing import Any

from relman.cli import exits
from relman.cli.client import Client, segment
from relman.cli.console import Console, text_of
from relman.cli.failure import usage
from relman.cli.follow import Pace, conclude, headline, until_end
from relman.cli.queue import say_queue
from relman.cli.verdicts import say_verdicts

Json = dict[str, Any]
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def promote(args: Namespace, console: Console, client: Client) -> int:
    """Ask for a promotion. A refusing gate is exit code 6 and says who can clear it."""
    body: Json = {"application": args.application, "version": args.version, "phase": args.phase}
    if args.comment:
        body["comment"] = args.comment
    if args.not_before:
        body["not_before"] = moment(args.not_before)
    if args.allow_lower:
        body["allow_lower"] = True
    if args.emergency is not None:
        body |= {"emergency": True, "reason": args.emergency}
    return _made(client.post("promotions/", body), args, console, client)


def rollback(args: Namespace, console: Console, client: Client) -> int:
    """Ask for the way back, to the release before or to the one that is named."""
    body: Json = {"reason": args.reason} | ({"version": args.version} if args.version else {})
    if args.emergency:
        body["emergency"] = True
    place = f"environments/{segment(args.application)}/{segment(args.phase)}/rollback/"
    return _made(client.post(place, body), args, console, client)


def revert(args: Namespace, console: Console, client: Client) -> int:
    """Ask for what the record says, once more."""
    return _drifted("revert", args, console, client)


def adopt(args: Namespace, console: Console, client: Client) -> int:
    """Ask that what runs be the record."""
    return _drifted("adopt", args, console, client)


def _drifted(verb: str, args: Namespace, console: Console, client: Client) -> int:
    place = f"environments/{segment(args.application)}/{segment(args.phase)}/{verb}/"
    return _made(client.post(place, {"reason": args.reason}), args, console, client)


def retry(args: Namespace, console: Console, client: Client) -> int:
    """Ask for the same again, as a new promotion."""
    return _made(client.post(f"promotions/{args.promotion}/retry/", {}), args, console, client)


def _made(promotion: Json, args: Namespace, console: Console, client: Client) -> int:
    """Tell of the new promotion, or wait for its end."""
    if args.wait:
        ended = until_end(client, str(promotion.get("id")), Pace(args.timeout), console)
        return conclude(ended, args.timeout, console, client)
    if console.as_json:
        console.answer(promotion)
        return exits.OK
    kind = f" It is a {promotion['kind']}." if promotion.get("kind") not in (None, "deploy") else ""
    console.say(f"{headline(promotion)}.{kind}")
    say_verdicts(promotion.get("verdicts") or [], console, client.url)
    say_queue(promotion, console)
    number = text_of(promotion.get("id"))
    console.note(f"Follow it with: relman wait {number}   or: relman log --follow {number}")
    return exits.OK


def moment(text: str, now: datetime | None = None) -> str:
    """A time with its zone in ISO 8601: what was given, in this machine's zone where none was, or so long from now."""
    ahead = re.fullmatch(r"\+(\d{1,5})([mhd])", text)
    if ahead:
        wait = timedelta(**{UNITS[ahead[2]]: int(ahead[1])})
        return ((now or datetime.now(UTC)) + wait).isoformat(timespec="seconds")
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise usage(f"'{text}' is not a time. Write it like 2026-12-24T18:00, or +90m or +2h from now.") from None
    return parsed.astimezone().isoformat() if parsed.tzinfo is None else parsed.isoformat()
