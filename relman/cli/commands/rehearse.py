"""`relman rehearse`: practise a rollback; `relman lift`: let what was rolled back come by itself again."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from relman.cli import exits
from relman.cli.client import Client, segment
from relman.cli.console import Console, text_of
from relman.cli.follow import Pace

Json = dict[str, Any]
WORDS = {"back": "on the way back", "forth": "on the way forward again"}
ENDS = {"passed": exits.OK, "failed": exits.FAILED, "stopped": exits.CANCELLED}


def run(args: Namespace, console: Console, client: Client) -> int:
    """Ask for a rehearsal; with --wait, see it to its end."""
    place = f"environments/{segment(args.application)}/{segment(args.phase)}/rehearsal/"
    found: Json = client.post(place, {"comment": args.comment} if args.comment else {})
    pair = f"from {text_of(found.get('leaves'))} to {text_of(found.get('to'))}"
    said = f"{args.application} in {args.phase}: a rehearsal of a rollback {pair} has begun"
    if not args.wait:
        console.answer(found) if console.as_json else console.say(f"{said} (promotion {text_of(found.get('back'))}).")
        return exits.OK
    console.note(f"{said}.")
    ended = _to_its_end(found, place, Pace(args.timeout), console, client)
    state = str(ended.get("state"))
    if console.as_json:
        console.answer(ended)
    else:
        console.say(f"Rehearsal {WORDS.get(state, state)}. {ended.get('reason') or ''}".strip())
    return ENDS.get(state, exits.TIMEOUT)


def _to_its_end(found: Json, place: str, pace: Pace, console: Console, client: Client) -> Json:
    """Look again until it ends, or the time is over; one that somebody begins after it is not ours."""
    said = ""
    for _ in pace.rounds():
        newest: Json = client.get(place)
        if newest.get("id") != found.get("id"):
            break
        found, state = newest, str(newest.get("state"))
        if state not in WORDS:
            break
        if state != said:
            said = state
            console.note(f"It is {WORDS[state]}.")
            pace.hurry()
    return found


def lift(args: Namespace, console: Console, client: Client) -> int:
    """Lift a hold."""
    release = f"applications/{segment(args.application)}/releases/{segment(args.version)}/"
    body = {"comment": args.comment} if args.comment else {}
    found = client.post(f"{release}holds/{segment(args.phase)}/lift/", body)
    if console.as_json:
        console.answer(found)
    else:
        console.say(f"{args.application} {args.version} is no longer held in {args.phase}.")
    return exits.OK
