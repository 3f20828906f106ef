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
from relman.cli.way_back import say_way_back

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
    if args.accept_one_way:
        body["accept_one_way"] = True
    if args.emergency is not None:
        body |= {"emergency": True, "reason": args.emergency}
    return _made(client.post("promotions/", body), args, console, client)


def rollback(args: Namespace, console: Console, client: Client) -> int:
    """Ask for the way back, to the release before or to the one that is named."""
    place = f"environments/{segment(args.application)}/{segment(args.phase)}/rollback/"
    if args.dry_run:
        return _what_if(client.get(place, {"version": args.version}), console, client)
    if not args.reason:
        raise usage("A rollback needs a reason: --reason 'What people notice' (or --dry-run to only look).")
    given = {"reason": args.reason, "version": args.version, "configuration": args.configuration}
    body: Json = {name: value for name, value in given.items() if value}
    if args.emergency:
        body["emergency"] = True
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


def _what_if(offer: Json, console: Console, client: Client) -> int:
    """What a rollback would do; refused: the exit code says so, and the lines say why."""
    code = exits.OK if offer.get("allowed") else exits.CONFLICT
    if console.as_json:
        console.answer(offer)
        return code
    where = f"{text_of(offer.get('application'))} in {text_of(offer.get('phase'))}"
    console.say(f"{where}: from {text_of(offer.get('live'))} to {text_of(offer.get('version') or None)}.")
    say_way_back(offer.get("way_back") or {}, console)
    if offer.get("unapproved"):
        keys = ", ".join(text_of(one.get("key")) for one in offer["unapproved"])
        console.say(f"with --configuration today, nobody has approved: {keys}")
    rows = [(one["key"], one["then"], one["today"]) for one in offer.get("differences") or []]
    if rows:
        console.table(("KEY", "THEN", "TODAY"), rows)
    else:
        console.say("No key differs between then and today.")
    say_verdicts(offer.get("verdicts") or [], console, client.url)
    if offer.get("reason"):
        console.say(text_of(offer["reason"]))
    return code


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
    return parsed.isoformat() if parsed.tzinfo else _here(parsed, text).isoformat()


def _here(wanted: datetime, text: str) -> datetime:
    """The time on this machine's clock. Where the clock jumps, a person says which: an hour early is too early."""
    both = [wanted.replace(fold=fold).astimezone() for fold in (0, 1)]
    if both[0].utcoffset() == both[1].utcoffset():
        return both[0]
    back = wanted in [one.replace(tzinfo=None, fold=0) for one in both]
    shown = " or ".join(one.isoformat() for one in sorted(both))
    what = "comes twice" if back else "does not come"
    raise usage(f"'{text}' {what} where you are: the clock changes then. Write it with its zone: {shown}.")
