"""Making and changing pipelines and their phases."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from phases import actions, forms, permissions
from phases.actions.checks import require_team
from phases.queries import get_phase, get_pipeline, phases_of
from relman.identity import actor_of
from relman.pages import Done, acting, filled, form_page


@acting
def new(request: HttpRequest) -> HttpResponse:
    """A new pipeline, from a template or a list."""
    actor = actor_of(request)
    permissions.require_administrator(actor, "create pipelines")

    def act(said: dict[str, Any]) -> Done:
        made = actions.create_pipeline(said.pop("layout"), actor=actor, **said)
        return Done(reverse("pipeline", args=[made.slug]), f"{made.name} is there. Give people their roles in it next.")

    return form_page(
        request,
        filled(request, forms.NewPipeline),
        act,
        title="New pipeline",
        lead="The ordered phases that releases of some applications go through, with the default roles and rules.",
        button="Create pipeline",
        back=reverse("applications"),
    )


@acting
def edit(request: HttpRequest, pipeline: str) -> HttpResponse:
    """A pipeline's words, and where pre-releases stop."""
    actor = actor_of(request)
    found = get_pipeline(actor, pipeline)
    require_team(actor, found, f"change the pipeline {found.name}")
    back = reverse("pipeline", args=[pipeline])
    until = found.prerelease_until.slug if found.prerelease_until else ""
    initial = {"name": found.name, "description": found.description, "prerelease_until": until}

    def act(said: dict[str, Any]) -> Done:
        actions.edit_pipeline(found, actor=actor, **said)
        return Done(back, "Saved.")

    return form_page(
        request,
        filled(request, forms.EditPipeline, phases=phases_of(actor, found), initial=initial),
        act,
        title=f"Edit {found.name}",
        button="Save",
        back=back,
        trail=[(back, found.name)],
    )


@acting
def new_phase(request: HttpRequest, pipeline: str) -> HttpResponse:
    """One more phase."""
    actor = actor_of(request)
    found = get_pipeline(actor, pipeline)
    require_team(actor, found, f"add a phase to {found.name}")
    back = reverse("pipeline", args=[pipeline])

    def act(said: dict[str, Any]) -> Done:
        made = actions.add_phase(found, actor=actor, **said)
        return Done(back, f"{made.name} is now phase {made.position} of {found.name}.")

    return form_page(
        request,
        filled(request, forms.AddPhase, phases=phases_of(actor, found)),
        act,
        title=f"Add a phase to {found.name}",
        lead="What has reached a later phase stays there.",
        button="Add phase",
        back=back,
        trail=[(back, found.name)],
    )


@acting
def edit_phase(request: HttpRequest, pipeline: str, phase: str) -> HttpResponse:
    """A phase's words and flags."""
    actor = actor_of(request)
    found = get_phase(actor, pipeline, phase)
    permissions.require(actor, "manage_access", found)
    back = reverse("phase", args=[pipeline, phase])
    initial = {name: getattr(found, name) for name in forms.EditPhase.base_fields}

    def act(said: dict[str, Any]) -> Done:
        changed = actions.set_phase(found, actor=actor, **said)
        return Done(reverse("phase", args=[pipeline, changed.slug]), "Saved.")

    return form_page(
        request,
        filled(request, forms.EditPhase, initial=initial),
        act,
        title=f"Edit {found.name}",
        button="Save",
        back=back,
        trail=[(reverse("pipeline", args=[pipeline]), found.pipeline.name), (back, found.name)],
    )


@acting
def remove_phase(request: HttpRequest, pipeline: str, phase: str) -> HttpResponse:
    """Take a phase out, while nothing is in it."""
    actor = actor_of(request)
    found = get_phase(actor, pipeline, phase)
    require_team(actor, found.pipeline, f"remove a phase from {found.pipeline.name}")

    def act(said: dict[str, Any]) -> Done:
        actions.remove_phase(found, actor=actor)
        return Done(reverse("pipeline", args=[pipeline]), f"{found.name} is removed.")

    return form_page(
        request,
        filled(request, forms.Confirm),
        act,
        title=f"Remove {found.name}",
        lead=f"The phase leaves {found.pipeline.name}, with the roles and rules that hold in it.",
        button=f"Remove {found.name}",
        back=reverse("phase", args=[pipeline, phase]),
        trail=[(reverse("pipeline", args=[pipeline]), found.pipeline.name)],
    )
