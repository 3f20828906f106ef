"""The admin site: who may enter it, and its words."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest


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
