"""Making and changing applications."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from phases import actions, forms, permissions
from phases.actions.checks import require_team
from phases.queries import get_application, pipelines_of
from relman.identity import actor_of
from relman.pages import Done, acting, filled, form_page


@acting
def new(request: HttpRequest) -> HttpResponse:
    """A new application on a pipeline."""
    actor = actor_of(request)
    permissions.require_administrator(actor, "create applications")
    initial = {"pipeline": request.GET.get("pipeline", "")}

    def act(said: dict[str, Any]) -> Done:
        made = actions.create_application(said.pop("pipeline"), actor=actor, **said)
        return Done(reverse("application", args=[made.slug]), f"{made.name} is there. Set up its environments next.")

    return form_page(
        request,
        filled(request, forms.NewApplication, pipelines=pipelines_of(actor), initial=initial),
        act,
        title="New application",
        button="Create application",
        back=reverse("applications"),
        trail=[(reverse("applications"), "Applications")],
    )


@acting
def edit(request: HttpRequest, application: str) -> HttpResponse:
    """An application's words."""
    actor = actor_of(request)
    found = get_application(actor, application)
    require_team(actor, found.pipeline, f"change the application {found.name}")
    back = reverse("application", args=[application])
    initial = {name: getattr(found, name) for name in forms.EditApplication.base_fields}

    def act(said: dict[str, Any]) -> Done:
        actions.edit_application(found, actor=actor, **said)
        return Done(back, "Saved.")

    return form_page(
        request,
        filled(request, forms.EditApplication, initial=initial),
        act,
        title=f"Edit {found.name}",
        button="Save",
        back=back,
        trail=[(reverse("applications"), "Applications"), (back, found.name)],
    )
