"""`manage.py up`: everything on one machine, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand

from phases import gateway as routing
from phases.drivers.local.layout import Layout
from phases.drivers.local.supervisor import Supervisor
from relman.embedded import up
from relman.embedded.place import Place
from relman.embedded.process import SYSTEM_PATH, Service, StartFailed, tied


class Command(BaseCommand):
    """Starts PostgreSQL, Valkey, the applications' supervisor, web, worker and gateway, and keeps them running."""

    help = "Run everything on this machine, until Ctrl-C."
    requires_system_checks = ()

    def handle(self, *_: Any, **__: Any) -> None:
        sys.exit(up.main(applications, gateway, self._say))

    def _say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()


def applications(place: Place, environment: Mapping[str, str]) -> Sequence[Service]:
    """The supervisor of what the local driver deployed: it brings up what its record says, and ends it when it ends."""
    processes = Supervisor(Layout(place.home))
    return [
        Service(
            "applications",
            tied(processes.argv(), signal.SIGTERM),
            ready=processes.is_running,
            orphaned=signal.SIGTERM,
            grace=20,
            environment={"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", **place.names},
            prepare=processes.argv,
            cleanup=processes.stop,
        )
    ]


def gateway(place: Place, environment: Mapping[str, str]) -> Sequence[Service]:
    """Caddy, with the addresses of all environments as last told."""

    def command() -> tuple[list[str], dict[str, str]]:
        try:
            return routing.start_argv(place.home, place.gateway_port, place.port)
        except routing.GatewayError as error:
            raise StartFailed(str(error)) from error

    argv, variables = command()
    tied_argv = tied(argv, signal.SIGKILL)
    ready = partial(up.listens, place.gateway_port)
    # SIGTERM would wait for every open stream; all that Caddy knows is in files.
    stop = signal.SIGQUIT
    return [Service("gateway", tied_argv, ready=ready, stop=stop, environment=variables, prepare=command)]
