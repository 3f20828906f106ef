"""Making, changing, checking and removing environments, and their components."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from phases import actions, forms, permissions
from phases.queries import get_application, get_component, get_environment, get_phase_of
from phases.views.trails import of_application, ways
from relman.identity import actor_of
from relman.pages import Done, acting, filled, form_page


@acting
def new(request: HttpRequest, application: str, phase: str) -> HttpResponse:
    """A place for an application in a phase."""
    actor = actor_of(request)
    found = get_application(actor, application)
    where = get_phase_of(actor, found, phase)
    permissions.require(actor, "configure", where, found)

    def act(said: dict[str, Any]) -> Done:
        made = actions.create_environment(found, where, actor=actor, **said)
        return Done(ways(made)[0], f"{found.name} has an environment in {where.name}. Check it next.")

    return form_page(
        request,
        filled(request, forms.NewEnvironment),
        act,
        title=f"Set up {found.name} in {where.name}",
        button="Create environment",
        back=reverse("application", args=[application]),
        trail=of_application(found),
    )


@acting
def edit(request: HttpRequest, application: str, phase: str) -> HttpResponse:
    """Its size and settings."""
    actor = actor_of(request)
    found = get_environment(actor, application, phase)
    permissions.require(actor, "configure", found)
    back, trail = ways(found)

    def act(said: dict[str, Any]) -> Done:
        actions.edit_environment(found, actor=actor, **said)
        return Done(back, "Saved. The next promotion uses it.")

    return form_page(
        request,
        filled(request, forms.Size, initial=forms.written(found)),
        act,
        title=f"Edit {found}",
        button="Save",
        back=back,
        trail=trail,
    )


@acting
def remove(request: HttpRequest, application: str, phase: str) -> HttpResponse:
    """Take it away, while nothing was promoted into it."""
    actor = actor_of(request)
    found = get_environment(actor, application, phase)
    permissions.require(actor, "configure", found)
    back, trail = ways(found)

    def act(said: dict[str, Any]) -> Done:
        actions.remove_environment(found, actor=actor)
        return Done(reverse("application", args=[application]), f"{found} is removed.")

    return form_page(
        request,
        filled(request, forms.Confirm),
        act,
        title=f"Remove {found}",
        lead="Its configuration goes with it. An environment with a history of promotions stays.",
        button="Remove environment",
        back=back,
        trail=trail,
    )


@acting
def check(request: HttpRequest, application: str, phase: str) -> HttpResponse:
    """Ask the target whether one could deploy there now. Speaks to the target: never inside a transaction."""
    actor = actor_of(request)
    found = get_environment(actor, application, phase)
    permissions.require(actor, "configure", found)
    back, trail = ways(found)
    if request.method != "POST":
        return form_page(
            request,
            forms.Confirm(),
            lambda said: Done(back),
            title=f"Check {found}",
            lead="RelMan asks the target whether it could deploy there now.",
            button="Check now",
            back=back,
            trail=trail,
        )
    wrong = [one.sentence for one in actions.check_environment(found, actor=actor) if not one.ok]
    say = messages.warning if wrong else messages.success
    say(request, f"Not ready: {' '.join(wrong)}" if wrong else f"{found} is ready.")
    return HttpResponseRedirect(back)


@acting
def new_component(request: HttpRequest, application: str, phase: str) -> HttpResponse:
    """Name a piece of infrastructure that it uses."""
    actor = actor_of(request)
    found = get_environment(actor, application, phase)
    permissions.require(actor, "configure", found)
    back, trail = ways(found)

    def act(said: dict[str, Any]) -> Done:
        made = actions.add_component(found, actor=actor, **said)
        return Done(back, f"{made.name} is listed.")

    return form_page(
        request,
        filled(request, forms.NewComponent),
        act,
        title=f"Add a component to {found}",
        button="Add component",
        back=back,
        trail=trail,
    )


@acting
def remove_component(request: HttpRequest, application: str, phase: str, component: int) -> HttpResponse:
    """Forget one."""
    actor = actor_of(request)
    found = get_environment(actor, application, phase)
    permissions.require(actor, "configure", found)
    back, trail = ways(found)
    gone = get_component(found, component)

    def act(said: dict[str, Any]) -> Done:
        actions.remove_component(gone, actor=actor)
        return Done(back, f"{gone.name} is no longer listed.")

    return form_page(
        request,
        filled(request, forms.Confirm),
        act,
        title=f"Remove {gone.name}",
        lead="Only RelMan's list changes; the component itself is not touched.",
        button="Remove component",
        back=back,
        trail=trail,
    )
