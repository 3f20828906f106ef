"""The board: every application against every phase."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from phases import permissions
from phases.models import Phase
from releases.queries import courses
from releases.queries import next as coming
from releases.queries.places import Place
from releases.queries.shared import plain
from relman.api import PAGE, View, text, unpacked
from relman.schema import page_of

MOST = 200


class Moving(serializers.Serializer[Any]):
    """A promotion that is open, or the last one when it ended badly."""

    id = serializers.IntegerField()
    version = serializers.CharField(source="build.version")
    kind = serializers.CharField()
    status = serializers.CharField()


class DriftInShort(serializers.Serializer[Any]):
    """That what runs is not what the record says."""

    kind = serializers.CharField()
    text = serializers.CharField()
    since = serializers.DateTimeField()


class Cell(serializers.Serializer[Any]):
    """One application in one phase."""

    phase = serializers.CharField()
    name = serializers.CharField()
    environment = serializers.BooleanField()
    version = serializers.CharField(allow_null=True)
    since = serializers.DateTimeField(allow_null=True)
    health = serializers.CharField()
    drift = DriftInShort(allow_null=True)
    promotion = Moving(allow_null=True)


class NextShown(serializers.Serializer[Any]):
    """What happens next, and why not now."""

    kind = serializers.CharField()
    text = serializers.CharField()
    who = serializers.ListField(child=serializers.CharField())
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)


class BoardRow(serializers.Serializer[Any]):
    """One application against every phase that you see."""

    application = serializers.CharField()
    name = serializers.CharField()
    pipeline = serializers.CharField()
    phases = Cell(many=True)
    next = NextShown()


class Board(View):
    """What is where, and what happens next."""

    filters = {"pipeline": text, "application": text}
    paged = True

    @extend_schema(responses=page_of(BoardRow))
    def get(self, request: Request) -> Response:
        """List applications by slug, each with all phases that you see."""
        names = {"pipeline": "pipeline__slug", "application": "slug"}
        wanted = {field: self.asked[name] for name, field in names.items() if name in self.asked}
        size = max(1, min(self.asked.get("limit", PAGE), MOST))
        if "cursor" in self.asked:
            wanted["slug__gt"] = unpacked(self.asked["cursor"], "slug")
        found = permissions.visible_applications(self.actor).filter(**wanted)
        slugs = list(found.order_by("slug").values_list("slug", flat=True)[: size + 1])
        view, ways = courses.load(self.actor, found.filter(slug__in=slugs[:size]))
        rows = [row_shown(view, way) for way in sorted(ways, key=lambda way: way.application.slug)]
        return self.listed(BoardRow(rows, many=True).data, slugs[size - 1] if len(slugs) > size else None)


def row_shown(view: courses.Reader, way: courses.Course) -> dict[str, Any]:
    """One application as a row."""
    one = coming.of_application(view, way)
    return {
        "application": way.application.slug,
        "name": way.application.name,
        "pipeline": way.application.pipeline.slug,
        "phases": [_cell(way, phase) for phase in way.phases if view.may("view", phase.pk, way.application.pk)],
        "next": {
            "kind": one.kind,
            "text": plain(one.text),
            "who": [person.name for person in one.who],
            "since": one.since,
            "until": one.until,
        },
    }


def _cell(way: courses.Course, phase: Phase) -> dict[str, Any]:
    place = way.places.get(phase.pk)
    live = place.live if place else None
    return {
        "phase": phase.slug,
        "name": phase.name,
        "environment": place is not None,
        "version": live.build.version if live else None,
        "since": live.finished_at if live else None,
        "health": place.health if place and live else "unknown",
        "drift": _drift(place) if place and live else None,
        "promotion": place.pending if place else None,
    }


def _drift(place: Place) -> dict[str, Any] | None:
    drift = place.drift
    return {"kind": drift.kind, "text": drift.text, "since": place.drift_since} if drift else None
