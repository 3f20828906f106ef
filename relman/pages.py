"""What every page does in the same way: draw, answer 304, run one verb for one form, once.

A page's verb is the API's verb. A refusal draws the form again with what was typed and the sentence beside it;
what has no form to stand beside goes on to `relman.http`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from hashlib import blake2b
from typing import Any, Concatenate, ParamSpec
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.http import require_http_methods

from relman import http, idempotency, typed
from relman.errors import NotFound, RelManError
from relman.identity import actor_of

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]
Trail = list[tuple[str, str]]
BESIDE_THE_FORM = (400, 403, 409, 413, 422)
"""Refusals that are drawn beside the form; what nobody may see (404) is a page of its own."""
FORM = "form.html"


@dataclass(frozen=True)
class Done:
    """What came of a form: where to go, and what to say there."""

    to: str
    said: str = ""


def page(view: View[P]) -> View[P]:
    """A page to look at: who is not signed in goes to the sign-in. Never stored by a shared cache."""
    return _for_people(view, ("GET", "HEAD"))


def acting(view: View[P]) -> View[P]:
    """As `page`, with a form: it takes POST too."""
    return _for_people(view, ("GET", "HEAD", "POST"))


def _for_people(view: View[P], methods: tuple[str, ...]) -> View[P]:
    @wraps(view)
    def inner(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if not response.has_header("Cache-Control"):
            patch_cache_control(response, private=True, no_cache=True)
        return response

    guarded = require_http_methods(methods)(_at_the_door(login_required(inner)))
    guarded.methods = methods  # type: ignore[attr-defined]  # a mark on the view
    return guarded


def _at_the_door(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Who was signed out in the middle of a form signs in with what they typed in hand."""

    @wraps(view)
    def inner(request: HttpRequest, /, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            if said := typed.typed_in(request):
                return typed.signed_out(request, said)
            if request.headers.get("HX-Request") == "true":
                return _to_the_door(request)
        return view(request, *args, **kwargs)

    return inner


def _to_the_door(request: HttpRequest) -> HttpResponse:
    """For a script, which would else put the sign-in in the place of a list: the whole window goes there."""
    door = f"{reverse('signin')}?{urlencode({'next': request.get_full_path()})}"
    return HttpResponse("You are signed out.", "text/plain", status=401, headers={"HX-Redirect": door})


def is_fragment(request: HttpRequest) -> bool:
    """A script asks for a part of the page, or for a dialog."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Boosted") != "true"


def context_of(shown: Any) -> dict[str, Any]:
    """The fields of a query's answer, as a template's context."""
    if is_dataclass(shown) and not isinstance(shown, type):
        return {field.name: getattr(shown, field.name) for field in fields(shown)}
    return dict(shown)


def draw(request: HttpRequest, template: str, shown: Any = (), *, status: int = 200, **more: Any) -> HttpResponse:
    """A page from a query's answer."""
    return render(request, template, {**context_of(shown), **more}, status=status)


def fragment(request: HttpRequest, template: str, shown: Any = (), **more: Any) -> HttpResponse:
    """A part of a page by its own address: 304 when the browser has it as it is."""
    response = draw(request, template, shown, **more)
    tag = f'"{blake2b(response.content, digest_size=12).hexdigest()}"'
    response["ETag"] = tag
    patch_cache_control(response, private=True, no_cache=True)
    return get_conditional_response(request, etag=tag, response=response) or response


def layout(request: HttpRequest) -> str:
    """What a dialog extends: the page around it, or nothing when a script opens it."""
    return "dialogs/_bare.html" if is_fragment(request) else "dialogs/_page.html"


def dialog(request: HttpRequest, template: str, shown: Any = (), **more: Any) -> HttpResponse:
    """A dialog, which is a page too. Give title, trail and back."""
    return draw(request, f"dialogs/{template}", shown, layout=layout(request), **more)


def filled(request: HttpRequest, kind: type[forms.Form], **options: Any) -> Any:
    """The form with what was sent, or fresh. Options go to the form."""
    if request.method == "POST":
        return kind(request.POST, request.FILES, **options)
    return kind(**options)


def answer(
    request: HttpRequest, form: forms.Form, act: Callable[[dict[str, Any]], Done], show: Callable[[], HttpResponse]
) -> HttpResponse:
    """GET: `show`. POST: run `act` with the cleaned form, once for its key, and go on; refused: `show` again."""
    if request.method != "POST":
        return show()
    if not form.is_valid():
        return _with_status(show(), 400)
    try:
        done = once(request, lambda: act(form.cleaned_data))
    except RelManError as error:
        if error.status not in BESIDE_THE_FORM:
            raise
        http.record_refused(request, error)
        blame(form, error)
        return _with_status(show(), error.status)
    return go(request, done)


def once(request: HttpRequest, act: Callable[[], Done]) -> Done:
    """Run `act`, or give the answer that the same form was given before: its one-time key with what was typed.

    Who goes back in the browser finds the old key: sent again with other words, it is another request."""
    key = request.POST.get("idempotency_key", "")
    if not key:
        return act()
    said = {name: request.POST.getlist(name) for name in request.POST if name not in typed.HIDDEN}
    actor = actor_of(request)
    key = f"{key} {idempotency.fingerprint(said, request.FILES, actor)}"

    def kept() -> HttpResponse:
        done = act()
        return JsonResponse({"to": done.to, "said": done.said})

    response = idempotency.once(actor, request.path[:500], key, "", kept)
    told = json.loads(response.content)
    if response.status_code >= 400:
        raise RelManError(told["detail"], code=told["code"], status=response.status_code)
    return Done(told["to"], told["said"])


def go(request: HttpRequest, done: Done) -> HttpResponse:
    """Redirect with a message."""
    if done.said:
        messages.success(request, done.said)
    return HttpResponseRedirect(done.to)


def blame(form: forms.Form, error: RelManError) -> None:
    """Write the refusal into the form: under its fields where it names them, above them otherwise."""
    named = {name: said for name, said in error.extra.get("fields", {}).items() if name in form.fields}
    for name, said in named.items():
        form.add_error(name, said)
    if not named:
        form.add_error(None, error.message)


def _with_status(response: HttpResponse, status: int) -> HttpResponse:
    response.status_code = status
    return response


def form_page(
    request: HttpRequest,
    form: forms.Form,
    act: Callable[[dict[str, Any]], Done],
    *,
    title: str,
    back: str,
    lead: str = "",
    button: str = "",
    trail: Trail | None = None,
    template: str = FORM,
    **more: Any,
) -> HttpResponse:
    """A page that is one form and one verb."""
    words = {"title": title, "lead": lead, "button": button, "back": back, "trail": trail or []}
    return answer(request, form, act, lambda: draw(request, template, {**words, **more}, form=form))


def dialog_page(
    request: HttpRequest,
    template: str,
    form: forms.Form,
    act: Callable[[dict[str, Any]], Done],
    shown: Callable[[], Any],
    *,
    title: str,
    back: str,
    trail: Trail | None = None,
) -> HttpResponse:
    """A dialog that is one form and one verb. `shown` is asked for only when it is drawn."""
    words = {"title": title, "back": back, "trail": trail or [], "form": form}
    return answer(request, form, act, lambda: dialog(request, template, {**context_of(shown()), **words}))


def local(request: HttpRequest, address: str, default: str = "/") -> str:
    """The address if it stays on RelMan's own host, else the default."""
    plain = address.startswith("/") and address.isprintable()
    safe = plain and url_has_allowed_host_and_scheme(address, allowed_hosts=None)
    return address if safe else default


def number(text: str | None, default: int = 1) -> int:
    """A whole number of a query string; anything else is the default."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else default


def choice(text: str | None, *known: str) -> str:
    """One of the known words; anything else is the first. For tabs and filters, which never refuse."""
    return text if text in known else known[0]


def whole(text: str) -> int:
    """A number that names something. NotFound when it is none."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise NotFound()
    return int(text)


class ZoneMiddleware:
    """Times are shown in the reader's own zone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(zone_of(request)):
            return self.get_response(request)


def zone_of(request: HttpRequest) -> ZoneInfo | None:
    """The zone of whoever is signed in; None: the installation's."""
    # A page without a session asks nobody: the user is looked at only when there is one.
    if request.COOKIES.get(_session_cookie()) is None or not request.user.is_authenticated:
        return None
    name = request.user.time_zone
    return ZoneInfo(name) if name else None


def _session_cookie() -> str:
    from django.conf import settings

    return str(settings.SESSION_COOKIE_NAME)
