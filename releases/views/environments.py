"""One application in one phase: its page, moving something there and back, and locks."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from phases import permissions
from phases.views.trails import ways
from releases import actions, forms, queries
from releases.models import Release
from releases.queries.dialogs import promote_dialog, rollback_dialog
from releases.queries.environment import environment_page
from releases.queries.environment_tabs import environment_log, environment_promotions
from releases.queries.rehearse import rehearse_dialog
from releases.views.locks import lock_page, unlock_page
from relman.actors import Actor
from relman.identity import actor_of
from relman.pages import Done, acting, dialog_page, draw, filled, number, page


@page
def environment(request: HttpRequest, application: str, phase: str) -> HttpResponse:
    """What serves there, with which configuration, and what may come."""
    actor = actor_of(request)
    found = queries.get_environment(actor, application, phase)
    match request.GET.get("tab"):
        case "promotions":
            shown = environment_promotions(actor, found, number(request.GET.get("page")))
            return draw(request, "environment_promotions.html", shown)
        case "log":
            return draw(request, "environment_log.html", environment_log(actor, found))
    return draw(request, "environment.html", environment_page(actor, found, request.GET.get("health", "")))


@acting
def promote(request: HttpRequest, application: str, phase: str) -> HttpResponse:
    """Bring a release there."""
    actor = actor_of(request)
    found = queries.get_environment(actor, application, phase)
    permissions.require(actor, "promote", found)
    chosen = _chosen(request, actor, application)
    back, trail = ways(found)

    def act(said: dict[str, Any]) -> Done:
        release = queries.get_release(actor, application, said.pop("version"))
        asked = actions.request_promotion(release, found, actor=actor, **said)
        return Done(reverse("promotion", args=[asked.pk]), f"{release.version} is on its way to {found.phase.name}.")

    return dialog_page(
        request,
        "promote.html",
        filled(request, forms.Promote),
        act,
        lambda: promote_dialog(actor, chosen, found),
        title=f"Promote to {found.phase.name}",
        back=back,
        trail=trail,
    )


@acting
def rollback(request: HttpRequest, application: str, phase: str) -> HttpResponse:
    """Go back to what ran there."""
    actor = actor_of(request)
    found = queries.get_environment(actor, application, phase)
    permissions.require(actor, "roll_back", found)
    shown = rollback_dialog(actor, found, _chosen(request, actor, application))
    back, trail = ways(found)

    def act(said: dict[str, Any]) -> Done:
        said.pop("confirm")
        release = queries.get_release(actor, application, said.pop("version"))
        asked = actions.roll_back(found, actor=actor, release=release, **said)
        return Done(reverse("promotion", args=[asked.pk]), f"{found.phase.name} goes back to {release.version}.")

    return dialog_page(
        request,
        "rollback.html",
        filled(request, forms.RollBack, confirm=shown.offer.word),
        act,
        lambda: shown,
        title=f"Roll back {found.application.name} in {found.phase.name}",
        back=back,
        trail=trail,
    )


@acting
def rehearse(request: HttpRequest, application: str, phase: str) -> HttpResponse:
    """Practise the way back: really back, and really forward again."""
    actor = actor_of(request)
    found = queries.get_environment(actor, application, phase)
    for right in ("roll_back", "promote"):
        permissions.require(actor, right, found)
    back, trail = ways(found)
    where = found.phase.name

    def act(said: dict[str, Any]) -> Done:
        made = actions.rehearse(found, actor=actor, **said)
        return Done(back, f"{where} goes back to {made.to.version}, and forward to {made.leaves.version} again.")

    return dialog_page(
        request,
        "rehearse.html",
        filled(request, forms.Comment),
        act,
        lambda: rehearse_dialog(found),
        title=f"Rehearse a rollback of {found.application.name} in {where}",
        back=back,
        trail=trail,
    )


@acting
def lock(request: HttpRequest, application: str, phase: str) -> HttpResponse:
    """Hold what would start there."""
    found = queries.get_environment(actor_of(request), application, phase)
    return lock_page(request, found, str(found), *ways(found))


@acting
def unlock(request: HttpRequest, application: str, phase: str) -> HttpResponse:
    """Let what was held go on."""
    found = queries.get_environment(actor_of(request), application, phase)
    return unlock_page(request, found, str(found), *ways(found))


def _chosen(request: HttpRequest, actor: Actor, application: str) -> Release | None:
    """The release that the address or the form names; none: the query chooses."""
    asked = request.GET
    version = request.POST.get("version") or asked.get("version") or asked.get("choose")
    return queries.get_release(actor, application, version) if version else None
