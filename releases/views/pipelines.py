"""Pipelines and phases as they are, the order of a pipeline's phases, and locks of a whole phase."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from phases import actions as places
from phases.forms import AddPhase
from phases.models import Phase, Pipeline
from phases.queries import get_phase, get_pipeline, phases_of
from releases.queries.pipeline import phase_page, pipeline_page
from releases.views.locks import lock_page, unlock_page
from relman.actors import Actor
from relman.identity import actor_of
from relman.pages import Done, Trail, acting, answer, draw, filled, page


@acting
def pipeline(request: HttpRequest, pipeline: str) -> HttpResponse:
    """The phases in order. Whoever manages access in all of them moves them and adds one."""
    actor = actor_of(request)
    found = get_pipeline(actor, pipeline)
    shown = pipeline_page(actor, found, request.GET.get("tab", ""))
    form = filled(request, AddPhase, phases=phases_of(actor, found), moves=request.POST.get("earlier", ""))
    back = reverse("pipeline", args=[pipeline])
    return answer(
        request, form, lambda said: Done(back, _change(found, actor, **said)),
        lambda: draw(request, "pipeline.html", shown, form=form if shown.may_edit and shown.tab == "phases" else None),
    )  # fmt: skip


def _change(found: Pipeline, actor: Actor, *, earlier: str = "", **phase: Any) -> str:
    if earlier:
        moved = get_phase(actor, found.slug, earlier)
        places.move_phase(moved, max(1, moved.position - 1), actor=actor)
        return f"{moved.name} moved one place forward."
    made = places.add_phase(found, actor=actor, **phase)
    return f"{made.name} is now phase {made.position} of {found.name}."


@page
def phase(request: HttpRequest, pipeline: str, phase: str) -> HttpResponse:
    """One phase across the applications of its pipeline."""
    actor = actor_of(request)
    return draw(request, "phase.html", phase_page(actor, get_phase(actor, pipeline, phase)))


@acting
def lock(request: HttpRequest, pipeline: str, phase: str) -> HttpResponse:
    """Hold what would start in a phase, whatever the application."""
    found = get_phase(actor_of(request), pipeline, phase)
    return lock_page(request, found, f"all of {found.name}", *_ways(found))


@acting
def unlock(request: HttpRequest, pipeline: str, phase: str) -> HttpResponse:
    """Let what the phase held go on."""
    found = get_phase(actor_of(request), pipeline, phase)
    return unlock_page(request, found, f"all of {found.name}", *_ways(found))


def _ways(found: Phase) -> tuple[str, Trail]:
    """The phase's own page, and the crumbs before a dialog of it."""
    slug = found.pipeline.slug
    back = reverse("phase", args=[slug, found.slug])
    return back, [(reverse("pipeline", args=[slug]), found.pipeline.name), (back, found.name)]
