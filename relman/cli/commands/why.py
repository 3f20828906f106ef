"""`relman why`: what blocks, who can clear it, when at the earliest, and where to look."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from relman.cli import exits
from relman.cli.client import Client, segment
from relman.cli.console import Console, text_of
from relman.cli.failure import usage
from relman.cli.follow import NUMBER, headline
from relman.cli.queue import say_queue
from relman.cli.verdicts import blocking, say_verdicts
from relman.cli.way_back import say_way_back


def run(args: Namespace, console: Console, client: Client) -> int:
    """Answer for a promotion that is there, or for one that is only thought of. Blocked is 6 with --exit-code."""
    if not args.phase and (args.version or not NUMBER.fullmatch(args.subject)):
        raise usage("Name a promotion, or an application, a version and a phase.")
    document, intro = _thought(args, client) if args.version else _there(args, client)
    verdicts = document.get("verdicts") or []
    stops = blocking(verdicts)
    if console.as_json:
        console.answer(document)
    else:
        console.say(intro)
        _say(document, verdicts, stops, console, client)
    return exits.CONFLICT if args.exit_code and stops else exits.OK


def _there(args: Namespace, client: Client) -> tuple[dict[str, Any], str]:
    promotion = client.get(f"promotions/{args.subject.removeprefix('#')}/")
    return promotion, headline(promotion) + "."


def _thought(args: Namespace, client: Client) -> tuple[dict[str, Any], str]:
    place = f"applications/{segment(args.subject)}/releases/{segment(args.version)}/offers/"
    offer = client.get(place, {"phase": args.phase})
    kind = text_of(offer.get("kind") or "promotion")
    allowed = "may be asked for" if offer.get("allowed") else "is not possible now"
    return offer, f"{args.subject} {args.version} to {args.phase}: a {kind} {allowed}."


def _say(document: dict[str, Any], verdicts: list[Any], stops: list[Any], console: Console, client: Client) -> None:
    if document.get("reason"):
        console.say(text_of(document["reason"]))
    say_verdicts(verdicts, console, client.url)
    passed = [text_of(verdict.get("gate")) for verdict in verdicts if verdict not in stops]
    say_queue(document, console)
    if not stops and not document.get("reason") and document.get("status") not in exits.ENDS:
        console.say("No gate blocks it." if (document.get("queue") or {}).get("in_front") else "Nothing blocks it.")
    if document.get("way_back"):
        say_way_back(document["way_back"], console)
    if passed:
        console.say(console.paint(f"Passed: {', '.join(passed)}.", "dim"))
