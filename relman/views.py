"""Pages about the person who looks, and the doors in and out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import Resolver404, resolve, reverse
from django.utils.http import urlencode
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from phases import actions, permissions, queries
from phases.actions.profile import set_display
from phases.models import User
from phases.views import gate
from relman import forms, throttle, typed
from relman.errors import RelManError
from relman.identity import actor_of
from relman.pages import acting, blame, choice, draw, filled, local, page, whole

WRONG = "The user name or the password is wrong."
ROOM = "/_gate/begin"
OPENS = {
    "board": "the board",
    "approvals": "your approvals",
    "approve": "the approval of promotion {promotion}",
    "promotion": "promotion {promotion}",
    "applications": "the applications",
    "application": "{application}",
    "release": "{application} {version}",
    "environment": "{application} in {phase}",
    "pipeline": "the pipeline {pipeline}",
    "phase": "the phase {phase} of {pipeline}",
    "audit": "the audit trail",
    "me": "your profile",
}
"""Page -> what it is called before anybody has looked anything up."""


@page
def home(request: HttpRequest) -> HttpResponse:
    """People who only decide land on what waits for them, everybody else on the board."""
    actor = actor_of(request)
    moves = permissions.phases_with(actor, "promote") | permissions.phases_with(actor, "publish")
    only_decides = bool(permissions.phases_with(actor, "approve")) and not moves and not actor.is_superuser
    return redirect("approvals" if only_decides else "board")


@require_safe
@cache_control(public=True, max_age=86_400)
def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers ask for it here where no page names an icon: the API's answers, a file, a plain text."""
    return redirect(static("img/favicon.svg"))


@never_cache
@sensitive_post_parameters("password")
def signin(request: HttpRequest) -> HttpResponse:
    """Name and password; then on to where the person wanted to go, which is always an address of RelMan's own."""
    after = local(request, request.POST.get("next") or request.GET.get("next") or "", reverse("home"))
    if request.user.is_authenticated:
        return HttpResponseRedirect(after)
    form, said, status = filled(request, forms.SignIn), request.POST.get("typed", "")[: typed.LARGEST], 200
    if request.method == "POST" and form.is_valid():
        try:
            user = authenticate(request, **form.cleaned_data)
        except RelManError as error:
            form.add_error(None, error.message)
            status = error.status
        else:
            if user is not None:
                login(request, user)
                return typed.once_more(request, after, said) if said else HttpResponseRedirect(after)
            form.add_error(None, wrong(throttle.tries_left(request, form.cleaned_data["username"])))
    shown = {"form": form, "next": after, "opens": "" if after == reverse("home") else opens(after), "typed": said}
    return render(request, "registration/login.html", {**shown, "demo_accounts": demo_accounts()}, status=status)


def opens(address: str) -> str:
    """Where a sign-in leads, in words that say no more than the address itself."""
    path = address.partition("?")[0]
    if address.startswith(ROOM):
        return "the address that you asked for"
    try:
        found = resolve(path)
    except Resolver404:
        return path
    words = OPENS.get(found.url_name or "")
    return words.format(**found.kwargs) if words else path


def wrong(left: int) -> str:
    """The same for a name that nobody has: nothing here tells which names there are."""
    if not left:
        return f"{WRONG} That was the last try for now."
    return f"{WRONG} {left} {'try' if left == 1 else 'tries'} left."


def demo_accounts() -> list[str]:
    """The names of the demo's accounts; none outside the demo."""
    path = Path(settings.HOME) / "demo-accounts.json"
    if not settings.DEMO or not path.exists():
        return []
    return [str(one["username"]) for one in json.loads(path.read_text())]


def admin_signin(request: HttpRequest) -> HttpResponse:
    """There is one door."""
    after = local(request, request.GET.get("next", ""), "/admin/")
    if request.user.is_authenticated and not admin.site.has_permission(request):
        messages.warning(request, "Administration is for people who may manage access in a phase.")
        return redirect("board")
    return HttpResponseRedirect(f"{reverse('signin')}?{urlencode({'next': after})}")


@require_POST
def signout(request: HttpRequest) -> HttpResponse:
    """Ends the session, and with it the way into every environment."""
    if request.user.is_authenticated:
        gate.sign_out(request)
        logout(request)
    messages.info(request, "You are signed out here, and from the addresses of your applications.")
    response = redirect("signin")
    response["Clear-Site-Data"] = '"cache"'
    return response


@acting
def me(request: HttpRequest) -> HttpResponse:
    """One's profile: display, tokens, roles. It holds several forms: the button says which was sent."""
    user = _user(request)
    if request.method == "POST" and "revoke" in request.POST:
        return _revoke(request)
    scope, raw = queries.token_scope(actor_of(request)), ""
    form = forms.Display(initial={"theme": user.theme, "time_zone": user.time_zone, "shortcuts": user.shortcuts})
    wanted = forms.NewToken(scope=scope)
    if request.method == "POST" and "token" in request.POST:
        wanted = forms.NewToken(request.POST, scope=scope)
        raw = _issue(request, user, wanted)
        wanted = forms.NewToken(scope=scope) if raw else wanted
    elif request.method == "POST":
        form = forms.Display(request.POST)
        if form.is_valid():
            return _save(request, user, form.cleaned_data)
    shown = {"tokens": queries.token_lines(actor_of(request)), "roles": queries.role_lines(user), "new_token": raw}
    refused = request.method == "POST" and not raw
    return draw(request, "me.html", shown, status=400 if refused else 200, form=form, wanted=wanted)


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


def _save(request: HttpRequest, user: User, said: dict[str, Any]) -> HttpResponse:
    set_display(user, actor=actor_of(request), **said)
    messages.success(request, "Saved.")
    return redirect("me")


def _issue(request: HttpRequest, user: User, form: forms.NewToken) -> str:
    """The new token, which is shown in this answer and never again; empty when it is refused, with the form blamed."""
    if not form.is_valid():
        return ""
    try:
        return actions.issue_token(user, actor=actor_of(request), **form.cleaned_data)[1]
    except RelManError as error:
        blame(form, error)
        return ""


def _revoke(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    token = queries.get_token(actor, whole(request.POST["revoke"]))
    actions.revoke_token(token, actor=actor)
    messages.success(request, f"The token “{token.name}” is revoked.")
    return redirect("me")


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Light or dark: kept in a cookie, and in the profile of whoever is signed in."""
    wanted = choice(request.POST.get("theme"), "light", "dark")
    if request.user.is_authenticated:
        set_display(_user(request), actor=actor_of(request), theme=wanted)
    response = HttpResponseRedirect(local(request, request.POST.get("next", ""), reverse("home")))
    response.set_cookie("relman_theme", wanted, max_age=365 * 24 * 3600, samesite="Lax", secure=settings.HTTPS)
    return response


@page
def help_page(request: HttpRequest) -> HttpResponse:
    """Shortcuts and words."""
    return draw(request, "help.html")


@page
def more(request: HttpRequest) -> HttpResponse:
    """Every page, for phones."""
    return draw(request, "more.html")
