"""`relman board`: every application against every phase, one table for each pipeline."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from relman.cli import exits
from relman.cli.client import Client
from relman.cli.console import Console, text_of

Json = dict[str, Any]
MOVING = ("waiting", "queued", "running", "verifying", "errored")


def run(args: Namespace, console: Console, client: Client) -> int:
    """Print the board."""
    rows = list(client.items("board/", {"pipeline": args.pipeline}))
    if console.as_json:
        console.answer({"results": rows, "next": None})
        return exits.OK
    if not rows:
        console.say("No application is visible to you yet.")
    for number, (pipeline, group) in enumerate(_pipelines(rows).items()):
        if number:
            console.say()
        _table(pipeline, group, console)
    return exits.OK


def cells(row: Json) -> list[Json]:
    """The row's environments in the order of the phases."""
    found = row.get("phases") or row.get("environments") or row.get("cells") or []
    return list(found)


def phase_of(cell: Json) -> str:
    """The slug of the cell's phase."""
    phase = cell.get("phase")
    return text_of(phase.get("slug") if isinstance(phase, dict) else phase or cell.get("slug"))


def cell_text(cell: Json) -> str:
    """What serves there, and what moves there: "1.2.0, 1.3.0 waiting"."""
    parts = [text_of(cell.get("version"))]
    if cell.get("health") == "unhealthy":
        parts[0] += " unhealthy"
    if cell.get("drift"):
        parts.append(f"drift ({text_of(cell['drift'].get('kind'))})")
    moving = cell.get("promotion") or {}
    if isinstance(moving, dict) and moving.get("status") in MOVING:
        parts.append(f"{text_of(moving.get('version'))} {moving['status']}")
    return ", ".join(parts)


def _pipelines(rows: list[Json]) -> dict[str, list[Json]]:
    groups: dict[str, list[Json]] = {}
    for row in rows:
        groups.setdefault(text_of(row.get("pipeline")), []).append(row)
    return groups


def _table(pipeline: str, rows: list[Json], console: Console) -> None:
    phases = list(dict.fromkeys(phase_of(cell) for row in rows for cell in cells(row)))
    lines = []
    for row in rows:
        by_phase = {phase_of(cell): cell_text(cell) for cell in cells(row)}
        lines.append([text_of(row.get("application") or row.get("slug")), *(by_phase.get(phase) for phase in phases)])
    console.table([pipeline.upper(), *(phase.upper() for phase in phases)], lines)
