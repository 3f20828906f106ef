"""The record, as far as you may see it."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from phases import permissions
from releases.api import serializers as shapes
from relman.api import PAGE, View, moment, number, one_of, text, unpacked
from relman.audit import queries
from relman.schema import page_of

MOST = 200


class Events(View):
    """Every verb, done or refused."""

    filters = {
        "application": text,
        "phase": text,
        "promotion": number,
        "verb": text,
        "outcome": one_of("done", "refused"),
        "since": moment,
        "until": moment,
    }
    paged = True

    @extend_schema(responses=page_of(shapes.EventShown))
    def get(self, request: Request) -> Response:
        """List events, newest first. `verb`: a whole one (promotion.approved) or its object (promotion)."""
        asked = dict(self.asked)
        cursor = asked.pop("cursor", None)
        size = max(1, min(asked.pop("limit", PAGE), MOST))
        after = int(unpacked(cursor)) if cursor is not None else None
        page = queries.events(permissions.sight(self.actor), after=after, limit=size, **asked)
        return self.listed(shapes.EventShown(page.results, many=True).data, str(page.next) if page.next else None)
