"""`manage.py prepare`: what has to be right before RelMan's processes start, in one go."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from phases import gateway
from phases.routing import routes


class Command(BaseCommand):
    """Brings the tables up to date, gives the application's role its rights (RELMAN_DATABASE_ROLE), and notes the
    routes of all environments for the gateway that starts next."""

    help = "Migrate the database and write the gateway's routes from the record."

    def handle(self, *_: Any, **__: Any) -> None:
        call_command("migrate", interactive=False, stdout=self.stdout)
        if settings.DATABASE_ROLE:
            call_command("application_role", settings.DATABASE_ROLE, stdout=self.stdout)
        with suppress(gateway.Unreachable):  # it is not up yet, and takes them when it starts
            gateway.sync(routes())
