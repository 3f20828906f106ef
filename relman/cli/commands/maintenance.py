"""`relman maintenance`: hold every start, and say when it is safe to stop RelMan."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from relman.cli import exits
from relman.cli.client import Client
from relman.cli.console import Console, local, text_of
from relman.cli.failure import usage
from relman.cli.follow import Pace
from relman.cli.queue import line

Json = dict[str, Any]


def run(args: Namespace, console: Console, client: Client) -> int:
    """Say how it is, or switch it. With --wait: 0 once it is safe to stop, 20 when the time was over before."""
    if (args.reason or args.wait) and args.switch != "on":
        raise usage("--reason and --wait belong to `relman maintenance on`.")
    if args.switch == "on" and not args.reason:
        raise usage("Why? Give --reason: everybody reads it on every page.")
    state = _switched(args, client)
    if args.wait:
        state = _until_safe(state, Pace(args.timeout), console, client)
    if console.as_json:
        console.answer(state)
    else:
        _say(state, console)
    return exits.TIMEOUT if args.wait and not state.get("safe_to_stop") else exits.OK


def _switched(args: Namespace, client: Client) -> Json:
    if args.switch is None:
        found: Json = client.get("maintenance/")
        return found
    body = {"on": True, "reason": args.reason} if args.switch == "on" else {"on": False}
    changed: Json = client.post("maintenance/", body)
    return changed


def _until_safe(state: Json, pace: Pace, console: Console, client: Client) -> Json:
    """Ask again until nothing runs any more, or somebody ended it. What changes is noted on stderr."""
    seen = ""
    for _ in pace.rounds():
        state = client.get("maintenance/")
        if state.get("safe_to_stop") or not state.get("on"):
            break
        if state.get("text") != seen:
            seen = str(state.get("text"))
            console.note(text_of(seen))
            pace.hurry()
    return state


def _say(state: Json, console: Console) -> None:
    if state.get("on"):
        console.say(f"Maintenance since {local(state.get('since'))}, by {text_of(state.get('by'))}: "
                    f"{text_of(state.get('reason'))}")  # fmt: skip
    console.say(text_of(state.get("text")))
    for one in state.get("running") or []:
        console.say(f"  {line(one)}")
    if state.get("queued"):
        console.say(f"queued: {state['queued']}")
