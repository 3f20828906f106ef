"""`relman status`: what is where, for an application; how far it is, for a promotion."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from relman.cli import exits
from relman.cli.client import Client, segment
from relman.cli.commands.board import cells, phase_of
from relman.cli.console import Console, local, text_of
from relman.cli.failure import Failure
from relman.cli.follow import NUMBER, headline, step_name, step_status
from relman.cli.queue import say_queue
from relman.cli.verdicts import say_verdicts
from relman.cli.way_back import say_way_back

Json = dict[str, Any]


def run(args: Namespace, console: Console, client: Client) -> int:
    """A number is a promotion, everything else an application."""
    if args.phase:
        return _environment(args.subject, args.phase, console, client)
    if NUMBER.fullmatch(args.subject):
        return _promotion(args.subject.removeprefix("#"), console, client)
    return _application(args.subject, console, client)


def _promotion(number: str, console: Console, client: Client) -> int:
    promotion = client.get(f"promotions/{number}/")
    if console.as_json:
        console.answer(promotion)
        return exits.OK
    console.say(headline(promotion) + ".")
    for name in ("reason", "comment"):
        if promotion.get(name):
            console.say(f"{name}: {text_of(promotion[name])}")
    for name in ("requested_at", "not_before", "started_at", "finished_at"):
        if promotion.get(name):
            console.say(f"{name.replace('_', ' ')}: {local(promotion[name])}")
    _steps(promotion.get("steps") or [], console)
    if promotion.get("status") in ("waiting", "queued"):
        say_verdicts(promotion.get("verdicts") or [], console, client.url)
    say_queue(promotion, console)
    return exits.OK


def _steps(steps: list[Json], console: Console) -> None:
    if steps:
        rows = [(step_name(s), step_status(s), s.get("detail"), local(s.get("finished_at"))) for s in steps]
        console.table(("STEP", "STATUS", "DETAIL", "FINISHED"), rows)


def _application(slug: str, console: Console, client: Client) -> int:
    """One request for the board's row, then one for each environment (a pipeline has a handful)."""
    row = next((row for row in client.items("board/", {"application": slug}) if _slug(row) == slug), None)
    if row is None:
        raise Failure(f"There is no application '{slug}' that you can see.", exits.NOT_FOUND)
    if console.as_json:
        console.answer(row)
        return exits.OK
    rows = []
    for cell in cells(row):
        place = _place(slug, phase_of(cell), client) if cell.get("environment", True) else {}
        moving = _moving(cell)
        rows.append((phase_of(cell), place.get("version"), local(place.get("since")), _health(place), moving))
    console.table(("PHASE", "VERSION", "SINCE", "HEALTH", "MOVING"), rows)
    return exits.OK


def _slug(row: Json) -> str:
    found = row.get("application") or row.get("slug")
    return str(found.get("slug") if isinstance(found, dict) else found)


def _place(application: str, phase: str, client: Client) -> Json:
    """The environment, or nothing where there is none (yet)."""
    try:
        found: Json = client.get(f"environments/{segment(application)}/{segment(phase)}/")
        return found
    except Failure as failure:
        if failure.code != exits.NOT_FOUND:
            raise
        return {}


def _health(place: Json) -> str | None:
    drift = place.get("drift")
    return f"{place.get('health')}, drift: {text_of(drift.get('text'))}" if drift else place.get("health")


def _moving(cell: Json) -> str | None:
    moving = cell.get("promotion")
    if not isinstance(moving, dict) or moving.get("status") in exits.ENDS:
        return None
    return f"{text_of(moving.get('version'))} {text_of(moving.get('status'))} (promotion {moving.get('id')})"


def _environment(application: str, phase: str, console: Console, client: Client) -> int:
    found = client.get(f"environments/{segment(application)}/{segment(phase)}/")
    if console.as_json:
        console.answer(found)
        return exits.OK
    console.say(f"{application} in {phase}: {text_of(found.get('version'))}, {console.status(found.get('health'))}")
    for name, value in (("since", local(found.get("since"))), ("digest", found.get("digest"))):
        console.say(f"{name}: {text_of(value)}")
    console.say(f"address: {text_of(found.get('address'))}")
    drift = found.get("drift")
    if drift:
        console.say(f"drift since {local(drift.get('since'))}: {text_of(drift.get('text'))}")
        others = f", or: relman adopt {application} {phase} --reason …" if drift.get("adoptable") else ""
        console.note(f"End it with: relman revert {application} {phase} --reason …{others}")
    if found.get("way_back"):
        say_way_back(found["way_back"], console)
    return exits.OK
