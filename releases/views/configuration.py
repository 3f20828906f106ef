"""The configuration of an environment: all its keys, changing one, removing one."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from phases import actions as places
from phases import permissions
from phases.forms import ChangeKey, Confirm, SetKey
from phases.models import Environment
from phases.views.trails import ways
from releases import queries
from releases.queries.configuration import KINDS, KeyDialog, configuration_page, key_dialog
from relman.errors import NotFound
from relman.identity import actor_of
from relman.pages import Done, Trail, acting, answer, choice, dialog_page, draw, filled


@acting
def configuration(request: HttpRequest, application: str, phase: str) -> HttpResponse:
    """All values of an environment, and setting one by its name."""
    actor = actor_of(request)
    found = queries.get_environment(actor, application, phase)
    form = filled(request, SetKey)
    asked = request.GET.get("q", "").replace("\x00", "")[:200], choice(request.GET.get("only"), "", *KINDS)

    def act(said: dict[str, Any]) -> Done:
        return _save(request, found, said["key"], said["wanted"])

    return answer(
        request,
        form,
        act,
        lambda: draw(
            request,
            "environment_configuration.html",
            configuration_page(actor, found, *asked),
            form=form.without_secret(),
        ),
    )


@acting
def key(request: HttpRequest, application: str, phase: str, key: str) -> HttpResponse:
    """Give one key another value. A secret's own value is never shown: left empty, it stays."""
    found, shown = _known(request, application, phase, key)
    form = filled(request, ChangeKey, known=shown.key.set, secret=shown.key.secret, value=shown.key.value)
    back, trail = _ways(found)

    def show() -> KeyDialog:
        form.without_secret()
        return shown

    return dialog_page(
        request,
        "key.html",
        form,
        lambda said: _save(request, found, key, said["wanted"]),
        show,
        title=f"{'Change' if shown.key.set else 'Set'} {key}",
        back=back,
        trail=trail,
    )


@acting
def remove_key(request: HttpRequest, application: str, phase: str, key: str) -> HttpResponse:
    """Take one key away. 404 where it is not set."""
    found, shown = _known(request, application, phase, key)
    if not shown.key.set:
        raise NotFound()
    back, trail = _ways(found)
    return dialog_page(
        request,
        "key_remove.html",
        filled(request, Confirm),
        lambda said: _save(request, found, key, None),
        lambda: shown,
        title=f"Remove {key}",
        back=back,
        trail=trail,
    )


def _known(request: HttpRequest, application: str, phase: str, key: str) -> tuple[Environment, KeyDialog]:
    actor = actor_of(request)
    found = queries.get_environment(actor, application, phase)
    permissions.require(actor, "configure", found)
    return found, key_dialog(actor, found, key)


def _save(request: HttpRequest, found: Environment, key: str, wanted: dict[str, Any] | None) -> Done:
    changed = places.set_configuration(found, {key: wanted}, actor=actor_of(request))
    word = "is removed" if wanted is None else "is set"
    said = f"{key} {word}. The next promotion brings it to {found.phase.name}." if changed else f"{key} is as it was."
    return Done(_home(found), said)


def _home(found: Environment) -> str:
    return reverse("environment-configuration", args=[found.application.slug, found.phase.slug])


def _ways(found: Environment) -> tuple[str, Trail]:
    """The configuration's own page, and the crumbs before a dialog of it."""
    _, trail = ways(found)
    return _home(found), [*trail, (_home(found), "Configuration")]
