"""Where a form of a place leads back to, and the crumbs before it."""

from __future__ import annotations

from django.urls import reverse

from phases.models import Application, Environment
from relman.pages import Trail


def of_application(found: Application) -> Trail:
    """The crumbs before anything of an application."""
    return [(reverse("application", args=[found.slug]), found.name)]


def ways(found: Environment) -> tuple[str, Trail]:
    """The environment's own page, and the crumbs before a form of it."""
    back = reverse("environment", args=[found.application.slug, found.phase.slug])
    return back, [*of_application(found.application), (back, found.phase.name)]
