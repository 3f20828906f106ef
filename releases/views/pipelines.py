"""Pipelines and phases as they are, and the order of a pipeline's phases."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from phases import actions as places
from phases.forms import AddPhase
from phases.models import Pipeline
from phases.queries import get_phase, get_pipeline, phases_of
from releases.queries.pipeline import phase_page, pipeline_page
from relman.actors import Actor
from relman.identity import actor_of
from relman.pages import Done, acting, answer, draw, filled, page


@acting
def pipeline(request: HttpRequest, pipeline: str) -> HttpResponse:
    """The phases in order. Whoever manages access in all of them moves them and adds one."""
    actor = actor_of(request)
    found = get_pipeline(actor, pipeline)
    shown = pipeline_page(actor, found)
    form = filled(request, AddPhase, phases=phases_of(actor, found), moves=request.POST.get("earlier", ""))
    back = reverse("pipeline", args=[pipeline])
    return answer(
        request, form, lambda said: Done(back, _change(found, actor, **said)),
        lambda: draw(request, "pipeline.html", shown, form=form if shown.may_edit else None),
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
