"""The record, as far as you may see it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from phases import permissions
from phases.queries import person_number
from relman.api import PAGE, View, moment, number, one_of, text, unpacked
from relman.audit import queries
from relman.schema import page_of

MOST = 200


class EventShown(serializers.Serializer[Any]):
    """One verb, done or refused."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    verb = serializers.CharField()
    outcome = serializers.ChoiceField(choices=["done", "refused"])
    actor = serializers.CharField(source="actor_name")
    role = serializers.CharField(source="actor_role")
    via = serializers.CharField()
    address = serializers.CharField()
    token = serializers.CharField(help_text="Its prefix")
    subject = serializers.CharField()
    application = serializers.CharField()
    phase = serializers.CharField()
    version = serializers.CharField()
    promotion = serializers.IntegerField(source="promotion_id", allow_null=True)
    detail = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class Events(View):
    """Every verb, done or refused."""

    filters = {
        "actor": text,
        "application": text,
        "phase": text,
        "promotion": number,
        "verb": text,
        "outcome": one_of("done", "refused"),
        "since": moment,
        "until": moment,
    }
    paged = True

    @extend_schema(responses=page_of(EventShown))
    def get(self, request: Request) -> Response:
        """List events, newest first. `verb`: a whole one (promotion.approved) or its object (promotion). `actor`: a
        user name."""
        asked = dict(self.asked)
        if "actor" in asked:
            asked["person"] = person_number(asked.pop("actor"))
        cursor = asked.pop("cursor", None)
        size = max(1, min(asked.pop("limit", PAGE), MOST))
        after = int(unpacked(cursor)) if cursor is not None else None
        page = queries.events(permissions.sight(self.actor), after=after, limit=size, **asked)
        return self.listed(EventShown(page.results, many=True).data, str(page.next) if page.next else None)
