"""The board, and the parts of it that refresh by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse

from releases import queries
from releases.queries.board import Row
from releases.queries.shared import plain
from relman.identity import actor_of
from relman.pages import choice, draw, fragment, number, page
from relman.sheets import sheet

STATES = [
    ("all", "All"),
    ("person", "Needs a person"),
    ("motion", "In motion"),
    ("blocked", "Blocked"),
    ("scheduled", "Scheduled"),
    ("drift", "Drift"),
    ("ready", "Ready to promote"),
    ("current", "Up to date"),
]
COLUMNS = ("pipeline", "application", "slug", "phase", "version", "since", "health", "pending", "state", "next")


@page
def board(request: HttpRequest) -> HttpResponse:
    """Every application against every phase."""
    filters = _filters(request)
    wanted = {name: filters[name] for name in ("state", "team", "q", "page")}
    shown = queries.board(actor_of(request), **wanted)
    return draw(
        request,
        "board.html",
        board=shown,
        filters=filters,
        states=STATES,
        pipelines=shown.pipelines,
        first_run=shown.first_run,
    )


@page
def row(request: HttpRequest, application: str) -> HttpResponse:
    """One application's row."""
    actor = actor_of(request)
    found = queries.row(actor, queries.get_application(actor, application))
    return fragment(request, "_board_row.html", row=found)


@page
def waiting(request: HttpRequest) -> HttpResponse:
    """What waits for the reader."""
    return fragment(request, "_board_waiting_live.html", board={"waiting": queries.waiting(actor_of(request))})


@page
def export(request: HttpRequest) -> HttpResponse:
    """What the filters show, all pages of it, as CSV: a line for each application in each phase."""
    filters = _filters(request)
    found = queries.table(actor_of(request), **{name: filters[name] for name in ("state", "team", "q")})
    response = HttpResponse(sheet(COLUMNS, lines_of(found)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="relman-board.csv"'
    return response


def lines_of(found: Iterable[tuple[str, Row]]) -> Iterator[list[object]]:
    """The cells of COLUMNS."""
    for pipeline, one in found:
        for tile in one.tiles:
            yield [
                pipeline, one.application.name, one.application.slug, tile.phase.name,
                tile.version or ("" if tile.exists else "not used"), tile.since, tile.health if tile.version else "",
                tile.pending.text if tile.pending else "", one.state, plain(one.next.text),
            ]  # fmt: skip


def _filters(request: HttpRequest) -> dict[str, Any]:
    asked = request.GET
    return {
        "state": choice(asked.get("state"), *[key for key, _ in STATES]),
        "team": asked.get("team", "")[:63],
        "q": asked.get("q", "")[:200],
        "density": choice(asked.get("density"), "normal", "compact"),
        "page": number(asked.get("page")),
    }
