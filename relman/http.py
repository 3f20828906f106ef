"""The one place that turns a refusal or an error into a page, an HTMX notice or the API's problem document."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from http import HTTPStatus
from typing import Any

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.core.serializers.json import DjangoJSONEncoder
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.shortcuts import render
from rest_framework import exceptions as drf

from relman.errors import Forbidden, Invalid, NotFound, RelManError, TooBig

log = logging.getLogger(__name__)
PROBLEM = "application/problem+json"
RECORDED = (403, 409)
"""Refusals that go into the record; what nobody may see (404) or is malformed (400) does not."""
WRITING = ("POST", "PUT", "PATCH", "DELETE")
UNEXPECTED = (
    "RelMan did not expect this. Nothing was changed. Try again; if it happens again, tell an administrator "
    "the time and the address of this page."
)
NO_ROOM = (
    "RelMan's disk is full, so this could not be kept. Nothing was changed, and what is live goes on. "
    "An administrator has to make room: `manage.py retention` says what may be deleted."
)
NAMED, LONGEST_NAME = 10, 100
"""How many fields a sentence about a request names, and how much of a name that somebody else chose."""
NO_DATABASE = "RelMan's database does not answer. Nothing was changed. Try again in a moment."


class ErrorMiddleware:
    """Renders what a view raised, with its sentence."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\x00" in request.path_info:
            return answer(request, NotFound())
        if "%00" in request.META.get("QUERY_STRING", ""):
            return answer(request, Invalid("A NUL character stands in the address; nothing here has one."))
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A response for errors that have a sentence; None leaves the rest to Django and its handler500."""
        known = understood(error)
        if known is None:
            return None
        record_refused(request, known)
        return answer(request, known)


def understood(error: BaseException) -> RelManError | None:
    """Any error of Django, DRF or the database as a RelManError; None for what nobody foresaw."""
    if isinstance(error, RelManError):
        return error
    if isinstance(error, drf.APIException):
        return _of_drf(error)
    if no_room(error):
        return RelManError(NO_ROOM, code="no_room", status=507)
    for kind, make in _FOREIGN:
        if isinstance(error, kind):
            return make(error)
    return None


def no_room(error: BaseException) -> bool:
    """Whether a disk is full, ours or the database's."""
    cause = error.__cause__ if isinstance(error, OperationalError) else None
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return full or getattr(cause, "sqlstate", None) == "53100"


_FOREIGN: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Callable[[Any], RelManError]], ...] = (
    (Http404, lambda error: NotFound()),
    (PermissionDenied, lambda error: Forbidden(str(error) or "Your account may not do this.")),
    (RequestDataTooBig, lambda error: TooBig("The request is larger than RelMan takes for a form or a document.")),
    ((TooManyFieldsSent, TooManyFilesSent), lambda error: TooBig("The request has more fields than RelMan takes.")),
    (UnreadablePostError, lambda error: RelManError(f"The request did not arrive whole: {error}", code="incomplete")),
    (SuspiciousOperation, lambda error: RelManError("RelMan does not understand this request.", code="malformed")),
    (
        (OperationalError, InterfaceError),
        lambda error: RelManError(NO_DATABASE, code="unavailable", status=503, retry_after=2),
    ),
)


def _of_drf(error: drf.APIException) -> RelManError:
    """An error of Django REST framework in our words."""
    if isinstance(error, drf.ValidationError):
        return _invalid(fields_of(error.detail))
    if isinstance(error, (drf.NotAuthenticated, drf.AuthenticationFailed)):
        challenge = getattr(error, "auth_header", "Bearer")
        return RelManError(str(error.detail), code="unauthenticated", status=401, challenge=challenge)
    if isinstance(error, drf.Throttled):
        wait = int(getattr(error, "wait", 0) or 60)
        return RelManError(str(error.detail), code="throttled", status=429, retry_after=wait)
    codes = {404: "not_found", 405: "method_not_allowed", 406: "not_acceptable", 415: "unsupported_media_type"}
    code = codes.get(error.status_code, "malformed" if error.status_code == 400 else "error")
    return RelManError(str(error.detail), code=code, status=error.status_code)


def _invalid(fields: dict[str, list[str]]) -> Invalid:
    """What is wrong with the fields of a request, in one sentence: the first of them whole, the others by name."""
    (name, sentences), *more = fields.items() or [("request", ["It says nothing."])]
    others = f" Not right either: {', '.join(other for other, _ in more[:NAMED])}." if more else ""
    return Invalid(f"{name[:LONGEST_NAME]}: {' '.join(sentences)}{others}", fields=fields)


def fields_of(detail: Any) -> dict[str, list[str]]:
    """Serializer errors as field name -> sentences; nested names are joined by dots."""
    found: dict[str, list[str]] = {}

    def walk(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                walk(".".join(part for part in (name, str(key)) if part and part != "non_field_errors"), inner)
        elif isinstance(value, (list, tuple)) and any(isinstance(inner, (Mapping, list)) for inner in value):
            for number, inner in enumerate(value):
                walk(f"{name}.{number}" if name else str(number), inner)
        elif isinstance(value, (list, tuple)):
            found.setdefault(name or "request", []).extend(str(inner) for inner in value)
        else:
            found.setdefault(name or "request", []).append(str(value))

    walk("", detail)
    return found


def problem(error: RelManError) -> dict[str, Any]:
    """The error as a problem document (RFC 9457): `detail` is for people, `code` never changes its meaning."""
    extra = {name: _plain(value) for name, value in error.extra.items() if name not in ("challenge",)}
    return {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code,
        "detail": error.message,
        **extra,
    }


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def problem_response(error: RelManError) -> JsonResponse:
    """The API's answer to an error."""
    response = JsonResponse(problem(error), encoder=DjangoJSONEncoder, status=error.status, content_type=PROBLEM)
    for name, value in headers_of(error).items():
        response[name] = value
    return response


def headers_of(error: RelManError) -> dict[str, str]:
    """What an error says in its head: who must sign in and how, when to come back."""
    headers = {"Cache-Control": "no-store"}
    if error.status == 401:
        headers["WWW-Authenticate"] = str(error.extra.get("challenge", "Bearer"))
    if "retry_after" in error.extra:
        headers["Retry-After"] = str(error.extra["retry_after"])
    return headers


def answer(request: HttpRequest, error: RelManError) -> HttpResponse:
    """The error as the one who asked can use it."""
    if is_api(request):
        return problem_response(error)
    fragment = bool(getattr(request, "htmx", None)) and not request.htmx.boosted  # type: ignore[attr-defined]  # set by its middleware
    # The frame of a page asks the database who is there: not when the database may be what is broken.
    template = "_error.html" if fragment else "500.html" if error.status >= 500 else "error.html"
    response = render(request, template, {"error": error}, status=error.status)
    for name, value in headers_of(error).items():
        if name != "WWW-Authenticate":
            response[name] = value
    return response


def is_api(request: HttpRequest) -> bool:
    """Whether a program asks: its errors are documents, never pages."""
    return request.path_info.startswith("/api/") and not request.path_info.startswith("/api/docs")


def record_refused(request: HttpRequest, error: RelManError, *, subject: Any = None) -> None:
    """Write a refused verb into the record, unless the verb did; call it after its transaction has ended."""
    if request.method not in WRITING or error.status not in RECORDED or error.recorded:
        return
    from relman.audit.recording import record_refusal
    from relman.identity import actor_of

    error.recorded = True
    if not getattr(getattr(request, "user", None), "is_authenticated", False):
        return
    match = request.resolver_match
    verb = (match.url_name if match else "") or "request"
    record_refusal(f"{verb}.refused"[:64], actor=actor_of(request), error=error, subject=subject or request.path[:300])


def api_exception(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's exception handler: every error of the API as a problem document."""
    known = understood(error)
    if known is None:
        return None
    request = context["request"]
    record_refused(request._request, known)
    response = problem_response(known)
    response.exception = True  # type: ignore[attr-defined]  # what DRF sets on its own
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that came without its key. Where a sign-in in another window changed it, what was typed is not lost."""
    from relman import typed

    said = "" if is_api(request) else typed.typed_in(request)
    if said and typed.is_ours(request) and request.user.is_authenticated:
        return typed.once_more(request, request.get_full_path(), said, status=403)
    return answer(
        request,
        RelManError(
            "This form is too old or came from another site. Go back, reload, and send it again.",
            code="csrf",
            status=403,
        ),
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400"""
    error = understood(exception) or RelManError("RelMan does not understand this request.", code="malformed")
    return answer(request, error)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403"""
    return answer(request, understood(exception) or Forbidden("Your account may not do this."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404"""
    return answer(request, NotFound())


def unexpected(request: HttpRequest) -> HttpResponse:
    """handler500: what nobody foresaw. The log has the traceback, the answer has none."""
    error = RelManError(UNEXPECTED, code="unexpected", status=500)
    try:
        return answer(request, error)
    except Exception:  # the page itself may be what is broken
        log.exception("The error page cannot be drawn.")
        return HttpResponse(f"500. {UNEXPECTED}", status=500, content_type="text/plain; charset=utf-8")
