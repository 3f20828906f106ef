"""`manage.py sync_gateway`: tell the gateway every environment's route, from the record."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from phases import gateway
from phases.routing import routes


class Command(BaseCommand):
    """Makes the gateway serve exactly the environments that the record has."""

    help = "Tell the gateway the routes of all environments. Equal routes disturb nothing."

    def handle(self, *_: Any, **__: Any) -> None:
        known = routes()
        try:
            gateway.sync(known)
        except gateway.Unreachable as error:
            raise CommandError(f"{error} It takes the {len(known)} routes up when it starts.") from error
        except gateway.GatewayError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The gateway serves {len(known)} environments.")
