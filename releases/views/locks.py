"""Locking an environment or a whole phase, and letting it go: the same two dialogs for both."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from phases import actions as places
from phases import permissions
from phases.models import Environment, Phase
from phases.queries import get_lock
from releases import forms
from releases.queries.locks import lock_dialog
from relman.identity import actor_of
from relman.pages import Done, Trail, dialog_page, filled


def lock_page(request: HttpRequest, where: Environment | Phase, name: str, back: str, trail: Trail) -> HttpResponse:
    """Hold what would start there. `name`: of the place, as a sentence goes on with it. 403 without *freeze*."""
    actor = actor_of(request)
    permissions.require(actor, "freeze", where)

    def act(said: dict[str, Any]) -> Done:
        places.lock(where, actor=actor, **said)
        return Done(back, f"{name[:1].upper()}{name[1:]} is locked.")

    form = filled(request, forms.Lock)
    return dialog_page(
        request,
        "lock.html",
        form,
        act,
        lambda: lock_dialog(actor, where),
        title=f"Lock {name}",
        back=back,
        trail=trail,
    )


def unlock_page(request: HttpRequest, where: Environment | Phase, name: str, back: str, trail: Trail) -> HttpResponse:
    """Let what was held go on. 403 without *freeze*, 409 where nothing is locked."""
    actor = actor_of(request)
    permissions.require(actor, "freeze", where)

    def act(said: dict[str, Any]) -> Done:
        places.unlock(get_lock(where), actor=actor)
        return Done(back, f"{name[:1].upper()}{name[1:]} is no longer locked. What waited goes on in order.")

    form = filled(request, forms.Confirm)
    return dialog_page(
        request,
        "unlock.html",
        form,
        act,
        lambda: lock_dialog(actor, where),
        title=f"Unlock {name}",
        back=back,
        trail=trail,
    )
