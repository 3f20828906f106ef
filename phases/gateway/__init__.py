"""The gateway: every environment's own address, and who may pass.

What callers need, with the ports and folders of this installation's settings; the rooms below know no Django.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from . import probe, server
from . import slots as files
from .errors import GatewayError, Stale, Unreachable
from .place import Place
from .probe import Observation
from .routes import Route
from .server import start_argv as _start_argv

__all__ = [
    "GatewayError",
    "Observation",
    "Place",
    "Route",
    "Stale",
    "Unreachable",
    "alive",
    "check",
    "ensure",
    "forget",
    "known",
    "place",
    "start_argv",
    "switch",
    "sync",
    "upstreams",
]


def place() -> Place:
    """This installation's gateway."""
    from django.conf import settings

    return Place(Path(settings.HOME), settings.GATEWAY_PORT, settings.PORT)


def switch(environment_id: int, upstreams: Sequence[str], *, epoch: int | None = None) -> None:
    """Send the environment's next requests to these addresses ("127.0.0.1:4711"), losing none; none: nothing is live.

    Durable when it returns, safe to repeat. Stale: a higher epoch has switched before; GatewayError: not an address.
    """
    files.switch(place().folder, environment_id, upstreams, epoch=epoch)


def upstreams(environment_id: int) -> list[str]:
    """The addresses that the environment's requests go to now."""
    return files.upstreams(place().folder, environment_id)


def sync(routes: Iterable[Route]) -> None:
    """Make the gateway serve exactly these routes: at start, and when environments or phases change.

    Equal routes disturb nothing. Unreachable: the gateway is down; what was told holds from its next start.
    """
    server.sync(place(), routes)


def known() -> list[Route]:
    """The routes that the gateway was told last, by number: to see without asking it whether one is missing."""
    return server.known(place())


def ensure(route: Route) -> None:
    """Add or replace one environment's route. Errors as in `sync`."""
    server.ensure(place(), route)


def forget(environment_id: int) -> None:
    """Take one environment's route away. Errors as in `sync`."""
    server.forget(place(), environment_id)


def alive() -> bool:
    """Whether the gateway's process answers."""
    return server.alive(place())


def check(route: Route, path: str = "/") -> Observation:
    """One request through the gateway to the environment's address, with an internal pass. At most 5 s; never raises
    for what it finds."""
    return probe.check(place(), route, path)


def start_argv(home: Path | str, port: int, web_port: int) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment that start a gateway in the foreground; its initial configuration is
    written. GatewayError: a folder belongs to somebody else; relman.embedded.binaries.Missing: no Caddy."""
    return _start_argv(Place(Path(home).resolve(), port, web_port))
