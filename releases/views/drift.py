"""Drift: bringing back what the record says, or accepting what runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from phases import permissions
from phases.views.trails import ways
from releases import actions, forms, queries
from releases.models import Promotion
from relman.identity import actor_of
from relman.pages import Done, acting, dialog_page, filled


@acting
def revert(request: HttpRequest, application: str, phase: str) -> HttpResponse:
    """Bring what the record says once more."""
    return _answer(request, application, phase, "revert", actions.revert, "{phase} goes back to {version}.")


@acting
def adopt(request: HttpRequest, application: str, phase: str) -> HttpResponse:
    """Make what runs the record."""
    said = "{version} is on its way to be the record of {phase}; nothing is restarted."
    return _answer(request, application, phase, "adopt", actions.adopt, said)


def _answer(
    request: HttpRequest, application: str, phase: str, name: str, verb: Callable[..., Promotion], words: str
) -> HttpResponse:
    actor = actor_of(request)
    found = queries.get_environment(actor, application, phase)
    permissions.require(actor, "roll_back", found)
    back, trail = ways(found)

    def act(said: dict[str, Any]) -> Done:
        asked = verb(found, actor=actor, **said)
        done = words.format(phase=found.phase.name, version=asked.release.version)
        return Done(reverse("promotion", args=[asked.pk]), done)

    return dialog_page(
        request,
        f"{name}.html",
        filled(request, forms.Reason),
        act,
        lambda: queries.drift_dialog(actor, found, name),
        title=f"{name.capitalize()} {found.application.name} in {found.phase.name}",
        back=back,
        trail=trail,
    )
