"""Applications, and the lists of their releases."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from releases import queries
from releases.queries.application import application_page, applications_page, releases_page
from releases.queries.application_configuration import SHOWS, application_configuration_page
from releases.queries.application_settings import application_settings_page
from relman.identity import actor_of
from relman.pages import choice, draw, number, page


@page
def applications(request: HttpRequest) -> HttpResponse:
    """All applications that the reader sees."""
    return draw(request, "applications.html", applications_page(actor_of(request)))


@page
def application(request: HttpRequest, application: str) -> HttpResponse:
    """One application: its phases, why it is not further, its newest releases."""
    actor = actor_of(request)
    found = queries.get_application(actor, application)
    return draw(request, "application.html", application_page(actor, found))


@page
def application_configuration(request: HttpRequest, application: str) -> HttpResponse:
    """The values of all its environments side by side."""
    actor = actor_of(request)
    filters = {"q": request.GET.get("q", "")[:128], "show": choice(request.GET.get("show"), *SHOWS)}
    found = queries.get_application(actor, application)
    return draw(
        request,
        "application_configuration.html",
        application_configuration_page(actor, found, **filters),
        filters=filters,
    )


@page
def application_settings(request: HttpRequest, application: str) -> HttpResponse:
    """What it is, where it has environments, and what one may change about both."""
    actor = actor_of(request)
    found = queries.get_application(actor, application)
    return draw(request, "application_settings.html", application_settings_page(actor, found))


@page
def application_releases(request: HttpRequest, application: str) -> HttpResponse:
    """All releases of one application."""
    actor = actor_of(request)
    found = queries.get_application(actor, application)
    filters = {"q": request.GET.get("q", "")[:200], "state": request.GET.get("state", "")[:20]}
    shown = releases_page(actor, found, page=number(request.GET.get("page")), **filters)
    cards = [{"phase": phase} for phase in shown.phases]
    return draw(request, "releases.html", shown, filters=filters, cards=cards)
