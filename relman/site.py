"""The admin site: who may enter it, and its words."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse

ORDER = ("phases", "auth", "releases", "audit")
"""What one comes for stands first."""
LINKED = 12
"""Pipelines whose roles the first page links."""


class Site(AdminSite):
    """Administrators, and whoever manages access somewhere: asked anew at each request, not of a flag."""

    site_header = "RelMan administration"
    site_title = "RelMan administration"
    index_title = "Roles, people and rules"
    site_url = "/board/"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.disable_action("delete_selected")

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether this person administers, or manages access in some phase, now."""
        from phases import permissions
        from relman.identity import actor_of

        actor = actor_of(request)
        return actor.is_superuser or bool(permissions.phases_with(actor, "manage_access"))

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The rooms of the site, those that one comes for first."""
        rooms = super().get_app_list(request, app_label)
        return sorted(rooms, key=lambda room: ORDER.index(room["app_label"]) if room["app_label"] in ORDER else 99)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The first page: above all, the way to the roles of each pipeline whose access the person manages."""
        from phases import permissions
        from phases.models import Pipeline
        from relman.identity import actor_of

        actor = actor_of(request)
        found = Pipeline.objects.order_by("name")
        if not actor.is_superuser:
            found = found.filter(phases__in=permissions.phases_with(actor, "manage_access")).distinct()
        count = found.count()
        more = {"pipelines": found[:LINKED], "more": count if count > LINKED else 0}
        return super().index(request, {**more, **(extra_context or {})})
