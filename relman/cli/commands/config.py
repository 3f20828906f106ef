"""`relman config get` and `relman config set`: values of one environment. Secrets go in by stdin and never come out."""

from __future__ import annotations

import getpass
import sys
from argparse import Namespace
from typing import Any

from relman.cli import exits
from relman.cli.client import Client, segment
from relman.cli.console import Console, local
from relman.cli.failure import Failure, usage

LARGEST_SECRET = 1024 * 1024  # characters


def get(args: Namespace, console: Console, client: Client) -> int:
    """Show all values, or print the one that is named and nothing else."""
    document = client.get(_place(args))
    values: list[dict[str, Any]] = document.get("values") or []
    if args.key:
        return _one(args, values, console)
    if console.as_json:
        console.answer(document)
        return exits.OK
    if not values:
        console.say(f"{args.application} has no configuration in {args.phase}.")
        return exits.OK
    console.table(("KEY", "VALUE", "CHANGED"), [(v.get("key"), _shown(v), local(v.get("updated_at"))) for v in values])
    return exits.OK


def change(args: Namespace, console: Console, client: Client) -> int:
    """Set and remove values in one request: all of it, or nothing."""
    values: dict[str, Any] = dict(_pair(text) for text in args.values)
    named = [*values, *args.remove, *([args.secret] if args.secret else [])]
    if not named:
        raise usage("Nothing to set. Write KEY=VALUE, --secret KEY or --remove KEY.")
    if len(set(named)) != len(named):
        raise usage("A key is named twice.")
    values |= dict.fromkeys(args.remove)
    if args.secret:
        values[args.secret] = {"secret": _secret(args.secret)}
    document = client.put(_place(args), {"values": values})
    if console.as_json:
        console.answer(document)
        return exits.OK
    console.say(f"{', '.join(named)} of {args.application} in {args.phase}: saved. The next promotion brings it there.")
    return exits.OK


def _one(args: Namespace, values: list[dict[str, Any]], console: Console) -> int:
    found = next((value for value in values if value.get("key") == args.key), None)
    if found is None or found.get("set") is False:
        raise Failure(f"{args.key} is not set for {args.application} in {args.phase}.", exits.NOT_FOUND)
    if console.as_json:
        console.answer(found)
        return exits.OK
    if found.get("secret"):
        raise Failure(f"{args.key} is a secret: it can be replaced, but nobody can read it.", exits.FORBIDDEN)
    console.say(str(found.get("value") or ""))
    return exits.OK


def _shown(value: dict[str, Any]) -> str | None:
    if value.get("set") is False:
        return "(not set)"
    return "(secret)" if value.get("secret") else value.get("value")


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise usage(f"'{text}' is not KEY=VALUE.")
    return key, value


def _secret(key: str) -> str:
    """The secret from stdin: typed without echo at a terminal, else all of it without its last line break."""
    if sys.stdin.isatty():
        secret = getpass.getpass(f"{key}: ")
    else:
        secret = sys.stdin.read(LARGEST_SECRET).removesuffix("\n").removesuffix("\r")
    if not secret:
        raise usage(f"Nothing came in for {key}. Send it to stdin: relman config set APP PHASE --secret {key} < FILE")
    return secret


def _place(args: Namespace) -> str:
    return f"environments/{segment(args.application)}/{segment(args.phase)}/configuration/"
