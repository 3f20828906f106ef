"""The record: reading it, checking its chain, taking it along."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from releases.queries.audit import audit_page, events_of, line
from relman.audit import chain
from relman.clock import now
from relman.identity import actor_of
from relman.pages import acting, draw, number, page
from relman.sheets import sheet

MOST = 20_000
"""Lines of an export."""
FILTERS = ("q", "application", "phase", "verb", "outcome")
COLUMNS = ("at", "actor", "role", "via", "verb", "outcome", "text", "detail", "subject", "digest")


@acting
def audit(request: HttpRequest) -> HttpResponse:
    """The record, as far as the reader may see it. POST walks the chain and says what it found."""
    before, after = (number(request.GET.get(name), 0) or None for name in ("before", "after"))
    shown = audit_page(actor_of(request), _filters(request), before=before, after=after)
    return draw(request, "audit.html", shown, chain=_verified() if request.method == "POST" else None)


def _filters(request: HttpRequest) -> dict[str, str]:
    return {name: request.GET.get(name, "").replace("\x00", "")[:200] for name in FILTERS}


def _verified() -> dict[str, Any]:
    broken = chain.verify()
    count = chain.checkpoint()["sequence"]
    text = f"**The chain is broken.** {broken.sentence}" if broken else "The chain holds."
    return {"ok": broken is None, "checked": broken.sequence if broken else count, "at": now(), "text": text}


@page
def export(request: HttpRequest) -> HttpResponse:
    """The visible entries that match, newest first, as CSV."""
    lines = (line(one) for one in events_of(actor_of(request), _filters(request))[:MOST])
    rows = ([getattr(one, name) if name != "text" else one.text.replace("**", "") for name in COLUMNS] for one in lines)
    response = HttpResponse(sheet(COLUMNS, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="relman-audit.csv"'
    return response
