"""Pages about the person who looks, and the doors."""

from django.http import HttpRequest, HttpResponse

from relman.errors import NotFound


def soon(request: HttpRequest, **kwargs: object) -> HttpResponse:
    raise NotFound()
