"""The board, and the parts of it that refresh by themselves."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from releases import queries
from relman.identity import actor_of
from relman.pages import choice, draw, fragment, number, page

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
    return fragment(request, "_board_waiting_live.html", board=queries.board(actor_of(request)))


def _filters(request: HttpRequest) -> dict[str, Any]:
    asked = request.GET
    return {
        "state": choice(asked.get("state"), *[key for key, _ in STATES]),
        "team": asked.get("team", "")[:63],
        "q": asked.get("q", "")[:200],
        "density": choice(asked.get("density"), "normal", "compact"),
        "page": number(asked.get("page")),
    }
