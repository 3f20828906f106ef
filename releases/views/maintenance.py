"""Maintenance: its page, what of it moves, and the banner on every other page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from releases import actions, forms, queries
from relman.identity import actor_of
from relman.pages import Done, acting, answer, draw, filled, fragment, page


@acting
def maintenance(request: HttpRequest) -> HttpResponse:
    """Whether it is on, what still runs, when it is safe to stop; an administrator begins and ends it here."""
    actor = actor_of(request)
    form = filled(request, forms.Maintenance)

    def act(said: dict[str, Any]) -> Done:
        if said["on"] == "yes":
            actions.begin_maintenance(actor=actor, reason=said["reason"])
            return Done(reverse("maintenance"), "Nothing starts from now on. What runs finishes.")
        actions.end_maintenance(actor=actor)
        return Done(reverse("maintenance"), "The maintenance has ended. What was held starts in order.")

    return answer(
        request, form, act, lambda: draw(request, "maintenance.html", state=queries.maintenance_state(actor), form=form)
    )


@page
def status(request: HttpRequest) -> HttpResponse:
    """What still runs, and whether it is safe to stop."""
    return fragment(request, "_maintenance_status.html", state=queries.maintenance_state(actor_of(request)))


@page
def banner(request: HttpRequest) -> HttpResponse:
    """What every page says while it is on; empty otherwise."""
    return fragment(request, "_maintenance.html")
