"""What somebody typed while their sign-in ended, or began anew in another window: it goes along through the door, and
they send it again themselves. Nothing of it is kept here."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers

LARGEST = 200_000
"""Characters of a form that is carried; a larger one is sent anew."""
HIDDEN = ("csrfmiddlewaretoken", "idempotency_key")
READ = ("decision", "comment", "reason", "notes", "changes", "description")
"""Fields that are shown before they are sent again: what people wrote, and never a value that may be secret."""


def typed_in(request: HttpRequest) -> str:
    """The form that was sent, as one text; empty when nothing was typed, or more than is carried."""
    if request.method != "POST" or request.content_type != "application/x-www-form-urlencoded":
        return ""
    fields = request.POST.copy()
    fields.pop("csrfmiddlewaretoken", None)
    text = fields.urlencode()
    said = any(fields[name] for name in fields if name not in HIDDEN)
    secret = any(name.startswith("password") for name in fields)
    return text if said and not secret and len(text) <= LARGEST else ""


def signed_out(request: HttpRequest, typed: str) -> HttpResponse:
    """The door, with what was typed behind it."""
    shown = {"next": request.get_full_path(), "typed": typed}
    return _private(render(request, "registration/login.html", shown, status=401))


def once_more(request: HttpRequest, to: str, typed: str, *, status: int = 200) -> HttpResponse:
    """Asks whether to send it, with a fresh key. `to` is an address of RelMan's own."""
    rows = [(name, value) for name, values in QueryDict(typed).lists() for value in values]
    shown = {"to": to, "fields": rows, "words": [(name, value) for name, value in rows if name in READ and value]}
    return _private(render(request, "typed.html", shown, status=status))


def is_ours(request: HttpRequest) -> bool:
    """Whether a page of this very site sent the form: its browser says so, and no other site can make it."""
    return request.headers.get("Origin") in (settings.PUBLIC_URL, f"{request.scheme}://{request.get_host()}")


def _private(response: HttpResponse) -> HttpResponse:
    add_never_cache_headers(response)
    return response
