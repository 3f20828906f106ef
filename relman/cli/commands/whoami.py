"""`relman whoami`: the account and the token, and what they may do where."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from relman.cli import exits
from relman.cli.client import Client
from relman.cli.console import Console, local, text_of


def run(args: Namespace, console: Console, client: Client) -> int:
    """Print who this is."""
    me = client.get("me/")
    if console.as_json:
        console.answer(me)
        return exits.OK
    user = me.get("user") if isinstance(me.get("user"), dict) else me
    console.say(f"{text_of(user.get('username'))} at {client.url}")
    token = me.get("token")
    if isinstance(token, dict):
        end = f"until {local(token['expires_at'])}" if token.get("expires_at") else "never expires"
        console.say(f"token {text_of(token.get('name'))}, {end}")
    rows = [_right(entry) for entry in me.get("rights") or []]
    if rows:
        console.table(("PIPELINE", "PHASE", "MAY"), rows)
    else:
        console.say("It has no right anywhere. Whoever manages access to a pipeline can grant a role.")
    return exits.OK


def _right(entry: dict[str, Any]) -> tuple[str, str, str]:
    rights = entry.get("rights") or entry.get("may")
    return text_of(entry.get("pipeline")), text_of(entry.get("phase")), text_of(rights)
