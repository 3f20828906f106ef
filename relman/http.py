"""The one place that turns a RelManError into a page, an HTMX notice or API JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from relman.errors import RelManError


class ErrorMiddleware:
    """Renders a RelManError that a page raised."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, RelManError):
            return None
        return render(request, "error.html", {"error": error}, status=error.status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The page for a form that came without its key."""
    error = RelManError("This form is too old or came from another site. Go back, reload, and send it again.",
                        code="csrf", status=403)
    return render(request, "error.html", {"error": error}, status=403)


def api_exception(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    from rest_framework.views import exception_handler

    return exception_handler(error, context)
