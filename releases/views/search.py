"""Jump to anything by a word of it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from releases.queries.commands import commands
from releases.queries.search import search as find
from relman.identity import actor_of
from relman.pages import draw, is_fragment, page


@page
def search(request: HttpRequest) -> HttpResponse:
    """Applications, releases, phases, pipelines and people; for the palette the results alone, and what one may do."""
    q = request.GET.get("q", "").replace("\x00", "").strip()[:200]
    actor = actor_of(request)
    template = "_palette.html" if is_fragment(request) else "search.html"
    return draw(request, template, find(actor, q), commands=commands(actor, q))
