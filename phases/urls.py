"""Addresses of the pages that set up where releases go."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from relman.errors import NotFound


def soon(request: HttpRequest, **kwargs: object) -> HttpResponse:
    raise NotFound()


PAGES = {
    "application-new": "apps/new/",
    "application-edit": "apps/<str:application>/edit/",
    "environment-new": "apps/<str:application>/<str:phase>/new/",
    "environment-edit": "apps/<str:application>/<str:phase>/edit/",
    "environment-remove": "apps/<str:application>/<str:phase>/remove/",
    "environment-check": "apps/<str:application>/<str:phase>/check/",
    "component-new": "apps/<str:application>/<str:phase>/components/new/",
    "component-remove": "apps/<str:application>/<str:phase>/components/<int:component>/remove/",
    "pipeline-new": "pipelines/new/",
    "pipeline-edit": "pipelines/<str:pipeline>/edit/",
    "phase-new": "pipelines/<str:pipeline>/phases/new/",
    "phase-edit": "pipelines/<str:pipeline>/<str:phase>/edit/",
    "phase-move": "pipelines/<str:pipeline>/<str:phase>/move/",
    "phase-remove": "pipelines/<str:pipeline>/<str:phase>/remove/",
}
urlpatterns = [path(address, soon, name=name) for name, address in PAGES.items()]
