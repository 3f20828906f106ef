"""One release: its page, publishing it, comparing it, taking it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from phases import permissions
from phases.models import Application
from phases.queries import publishable
from phases.views.trails import of_application
from releases import actions, forms, queries, uploads
from releases.models import Release
from releases.queries.comparison import compare as compared
from releases.queries.holds import hold_dialog
from releases.queries.manifest import manifest_read
from releases.queries.release import release_page, withdraw_dialog
from relman.errors import NotFound, RelManError
from relman.identity import actor_of
from relman.pages import Done, acting, answer, dialog_page, draw, filled, fragment, page

KINDS = ("", "feature", "fix", "upkeep", "security")
"""Kinds of changes that the form offers; a build may name others."""
CHANGES = 7
"""Changes that a release's page shows before all of them are asked for."""
COMPARED = 50
"""Releases to choose from for a comparison."""


@page
def release(request: HttpRequest, application: str, version: str) -> HttpResponse:
    """One release on its way."""
    actor, kind = actor_of(request), request.GET.get("kind", "")[:32]
    found = queries.get_release(actor, application, version)
    shown = "" if request.GET.get("changes") == "all" else f":{CHANGES}"
    about = release_page(actor, found, kind)
    return draw(request, "release.html", about, chosen_kind=kind, shown_changes=shown, changes_first=CHANGES)


@page
def compare(request: HttpRequest, application: str, first: str, second: str) -> HttpResponse:
    """What lies between two releases of one application."""
    actor = actor_of(request)
    pair = [queries.get_release(actor, application, version) for version in (first, second)]
    return draw(request, "compare.html", compared(actor, *pair), versions=_versions(pair[0].application, pair))


@page
def choose_two(request: HttpRequest, application: str) -> HttpResponse:
    """On to the comparison that was asked for, or to the newest release and the one before."""
    newest = _versions(queries.get_application(actor_of(request), application), [])
    if len(newest) < 2:
        return redirect("application-releases", application)
    second = request.GET.get("to") or newest[0]
    older = newest[newest.index(second) + 1 :] if second in newest else newest
    first = request.GET.get("from") or [*older, *newest][0]
    if "/" in first + second:  # no version has one, and no address of a comparison
        raise NotFound()
    return redirect("compare", application, first, second)


def _versions(application: Application, also: Sequence[Release]) -> list[str]:
    """The newest versions to choose from, newest first, and those that are looked at."""
    newest = application.releases.order_by("-precedence", "-pk").values_list("version", flat=True)[:COMPARED]
    return list(dict.fromkeys([*newest, *(one.version for one in also)]))


@page
def choose(request: HttpRequest) -> HttpResponse:
    """A new release, of which application?"""
    return draw(request, "choose_application.html", applications=publishable(actor_of(request)))


def may_publish(request: HttpRequest, application: str) -> None:
    """Asked before a byte of an upload is read."""
    actor = actor_of(request)
    found = queries.get_application(actor, application)
    permissions.require_as_member(actor, "publish", permissions.first_phase(found.pipeline), found)


@uploads.checked_by(may_publish)
@acting
def new(request: HttpRequest, application: str) -> HttpResponse:
    """Publish a release from an uploaded archive."""
    may_publish(request, application)
    actor = actor_of(request)
    found = queries.get_application(actor, application)
    form = filled(request, forms.Publish)
    refused: dict[str, Any] = {}

    def act(said: dict[str, Any]) -> Done:
        staged = said.pop("artifact").staged
        try:
            made, fresh = actions.publish_release(found, actor=actor, staged=staged, **said)
        except RelManError as error:
            refused.update(name=staged.name, errors=error.extra.get("errors", []))
            raise
        word = "is published" if fresh else "was published already, with the same file"
        return Done(reverse("release", args=[found.slug, made.version]), f"{made.version} {word}.")

    def show() -> HttpResponse:
        return draw(
            request,
            "new_release.html",
            application=found,
            first_phase=permissions.first_phase(found.pipeline),
            form=form,
            example=queries.next_version(found),
            refused=refused if refused.get("errors") else None,
            upload_max=settings.UPLOAD_MAX_BYTES,
            kinds=list(dict.fromkeys([*KINDS, *(row["kind"] for row in form.rows)])),
            again=request.method == "POST",
        )

    if "add" in request.POST or "remove" in request.POST:
        form.errors.clear()  # nothing is judged yet: the rows change, what was typed stays
        return show()
    return answer(request, form, act, show)


@acting
def manifest(request: HttpRequest, application: str) -> HttpResponse:
    """What a manifest says, before its archive is sent. Nothing is kept."""
    may_publish(request, application)
    actor = actor_of(request)
    found = queries.get_application(actor, application)
    if request.method != "POST":
        return redirect("release-new", application)
    shown = manifest_read(actor, found, request.POST.get("manifest", ""))
    return fragment(request, "_manifest.html", manifest=shown, application=found)


@acting
def yank(request: HttpRequest, application: str, version: str) -> HttpResponse:
    """No new promotions of it."""
    return _withdraw(request, application, version, actions.yank, "yank")


@acting
def quarantine(request: HttpRequest, application: str, version: str) -> HttpResponse:
    """No new promotions of it, and what waits ends."""
    return _withdraw(request, application, version, actions.quarantine, "quarantine")


def _withdraw(
    request: HttpRequest, application: str, version: str, verb: Callable[..., Release], word: str
) -> HttpResponse:
    actor = actor_of(request)
    found = queries.get_release(actor, application, version)
    permissions.require(actor, "roll_back", permissions.last_phase(found.application.pipeline), found.application)
    back = reverse("release", args=[application, version])

    def act(said: dict[str, Any]) -> Done:
        verb(found, actor=actor, **said)
        return Done(back, f"{version} is {word}{'d' if word.endswith('e') else 'ed'}.")

    return dialog_page(
        request,
        f"{word}.html",
        filled(request, forms.Reason),
        act,
        lambda: withdraw_dialog(actor, found),
        title=f"{word.capitalize()} {version}",
        back=back,
        trail=[*of_application(found.application), (back, version)],
    )


@acting
def lift_hold(request: HttpRequest, application: str, version: str, phase: str) -> HttpResponse:
    """Let a release that was rolled back come again by itself."""
    actor = actor_of(request)
    found = queries.get_release(actor, application, version)
    place = queries.get_environment(actor, application, phase).phase
    permissions.require(actor, "promote", place, found.application)
    back = reverse("release", args=[application, version])

    def act(said: dict[str, Any]) -> Done:
        actions.lift_hold(found, phase=place, actor=actor, **said)
        return Done(back, f"{version} is no longer held in {place.name}.")

    return dialog_page(
        request,
        "lift.html",
        filled(request, forms.Comment),
        act,
        lambda: hold_dialog(found, place),
        title=f"Lift the hold on {version} in {place.name}",
        back=back,
        trail=[*of_application(found.application), (back, version)],
    )
