"""The record: reading it, checking its chain, taking it along."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from releases.queries.audit import audit_page, events_of, line
from releases.queries.shared import plain
from relman.audit import chain
from relman.clock import now
from relman.identity import actor_of
from relman.pages import acting, draw, number, page
from relman.sheets import sheet

MOST = 20_000
"""Lines of an export."""
FILTERS = ("q", "application", "phase", "verb", "outcome", "since", "until")
COLUMNS = ("at", "actor", "role", "via", "verb", "outcome", "text", "detail", "subject", "digest")


@acting
def audit(request: HttpRequest) -> HttpResponse:
    """The record, as far as the reader may see it. POST walks the chain and says what it found."""
    before, after = (number(request.GET.get(name), 0) or None for name in ("before", "after"))
    shown = audit_page(actor_of(request), _filters(request), before=before, after=after)
    chain_found = _verified() if request.method == "POST" else None
    return draw(request, "audit.html", shown, chain=chain_found, most=MOST)


def _filters(request: HttpRequest) -> dict[str, str]:
    return {name: request.GET.get(name, "").replace("\x00", "")[:200] for name in FILTERS}


def _verified() -> dict[str, Any]:
    broken = chain.verify_in_turn()
    count = chain.checkpoint()["sequence"]
    text = f"**The chain is broken.** {broken.sentence}" if broken else "The chain holds."
    return {"ok": broken is None, "checked": broken.sequence if broken else count, "at": now(), "text": text}


@page
def export(request: HttpRequest) -> HttpResponse:
    """The visible entries that match, newest first, as CSV; `format=json`: as JSON."""
    lines = (line(one) for one in events_of(actor_of(request), _filters(request))[:MOST])
    rows = ([getattr(one, name) if name != "text" else plain(one.text) for name in COLUMNS] for one in lines)
    response: HttpResponse
    if request.GET.get("format") == "json":
        found = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        response, kind = JsonResponse(found, safe=False, json_dumps_params={"indent": 1}), "json"
    else:
        response, kind = HttpResponse(sheet(COLUMNS, rows), content_type="text/csv; charset=utf-8"), "csv"
    response["Content-Disposition"] = f'attachment; filename="relman-audit.{kind}"'
    return response
