"""Django's admin over what moves, and over the record: to look at. Nothing here changes anything."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from phases import permissions
from phases.admin.base import ReadOnlyAdmin, managed
from releases.models import Promotion, Release
from relman.audit.models import Event
from relman.audit.queries import visible
from relman.identity import actor_of


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin):
    """Releases, frozen once published."""

    delegated = True
    list_display = ("application", "version", "channel", "author", "published_at", "withdrawn")
    list_display_links = ("version",)
    list_filter = (("application", admin.RelatedOnlyFieldListFilter), "channel", "withdrawn")
    list_select_related = ("application",)
    search_fields = ("version", "application__name", "author")
    ordering = ("-published_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Release]:
        applications = permissions.visible_applications(actor_of(request))
        return super().get_queryset(request).filter(application__in=applications)


@admin.register(Promotion)
class PromotionAdmin(ReadOnlyAdmin):
    """Promotions. What their steps left, their plan and their configuration stay inside."""

    delegated = True
    list_display = ("id", "application", "version", "phase", "kind", "status", "requested_by", "requested_at")
    list_filter = ("status", "kind")
    list_select_related = ("environment__application", "environment__phase", "release", "requested_by")
    search_fields = ("release__version", "environment__application__name")
    fields = ("application", "version", "phase", "kind", "status", "reason", "comment", "requested_by", "requested_at",
              "not_before", "not_after", "approve_before", "digest", "seal", "retry_of", "superseded_by", "queued_at",
              "started_at", "finished_at")  # fmt: skip
    readonly_fields = ("application", "version", "phase")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Promotion]:
        return super().get_queryset(request).filter(environment__phase__in=managed(request))

    @admin.display(ordering="environment__application__name")
    def application(self, promotion: Promotion) -> str:
        return promotion.environment.application.name

    @admin.display(ordering="release__precedence")
    def version(self, promotion: Promotion) -> str:
        return promotion.release.version

    @admin.display(ordering="environment__phase__position")
    def phase(self, promotion: Promotion) -> str:
        return promotion.environment.phase.name


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """The record."""

    delegated = True
    list_display = ("at", "verb", "outcome", "actor_name", "actor_role", "via", "application", "phase", "detail")
    list_display_links = ("at", "verb")
    list_filter = ("outcome", "via", "verb")
    search_fields = ("detail", "actor_name", "subject")
    ordering = ("-id",)
    exclude = ("before", "after")
    readonly_fields = ("changed_from", "changed_to", "link")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        seen = visible(permissions.sight(actor_of(request)))
        return super().get_queryset(request).filter(pk__in=seen.values("pk"))

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup in ("subject_type", "subject_id") or super().lookup_allowed(lookup, value, request)

    @admin.display(description="before")
    def changed_from(self, event: Event) -> str:
        return _pretty(event.before)

    @admin.display(description="after")
    def changed_to(self, event: Event) -> str:
        return _pretty(event.after)

    @admin.display(description="link of the chain")
    def link(self, event: Event) -> str:
        found = getattr(event, "link", None)
        return f"{found.sequence}: {found.hash}" if found else "not sealed yet"


def _pretty(value: Any) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    return "–" if value is None else format_html("<pre>{}</pre>", text)
