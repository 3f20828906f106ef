"""Caddy itself: how it is started, and what it is told over its admin socket."""

from __future__ import annotations

import fcntl
import http.client
import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from relman.embedded.binaries import caddy

from . import probe, slots
from .errors import GatewayError, Unreachable
from .place import Place
from .routes import Json, Route, configuration

PATIENCE = 10.0
"""Seconds that the admin socket may take to answer."""


def start_argv(place: Place) -> tuple[list[str], dict[str, str]]:
    """The command line and the whole environment that start this gateway in the foreground.

    Writes its initial configuration: the routes as last told, so that a restarted gateway serves at once. SIGTERM
    waits for requests under way (streams too, 10 minutes at most); SIGQUIT ends it at once, and nothing is lost with
    that but those requests: all state is in files. Missing: there is no Caddy.
    """
    place.make()
    with _alone(place):
        _save(place.configuration_file, configuration(place, known(place), probe.asking(place)))
    own = str(place.folder / "caddy")
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": own,
        "XDG_DATA_HOME": own,
        "XDG_CONFIG_HOME": own,
        "RELMAN_HOME": str(place.home),
        "RELMAN_PORT": str(place.web_port),
        "RELMAN_GATEWAY_PORT": str(place.port),
    }
    return [str(caddy()), "run", "--config", str(place.configuration_file)], environment


def known(place: Place) -> list[Route]:
    """The routes as last told."""
    try:
        return [Route(**row) for row in json.loads(place.routes_file.read_text())]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, GatewayError):
        return []  # a file from another version: the next sync writes it anew


def sync(place: Place, routes: Iterable[Route]) -> None:
    """Make Caddy serve exactly these routes. Equal routes change nothing and disturb no request; other ones reload
    Caddy, which may lose a request that arrives in the same milliseconds (a switch never does).

    Unreachable: Caddy does not answer; the routes are kept and hold from its next start.
    """
    with _telling(place) as told:
        told[:] = routes


def ensure(place: Place, route: Route) -> None:
    """Add this environment's route, or replace it. Errors as in `sync`."""
    with _telling(place) as told:
        told[:] = [other for other in told if other.environment != route.environment and other.host != route.host]
        told.append(route)


def forget(place: Place, environment: int) -> None:
    """Take this environment's route away, and its addresses. Errors as in `sync`."""
    with _telling(place) as told:
        told[:] = [other for other in told if other.environment != environment]
    slots.remove(place.folder, environment)


def alive(place: Place) -> bool:
    """Whether Caddy answers on its admin socket and serves the gateway's port."""
    try:
        _admin(place, "GET", "/config/admin/listen")
        socket.create_connection(("127.0.0.1", place.port), timeout=2).close()
    except (GatewayError, OSError):
        return False
    return True


@contextmanager
def _telling(place: Place) -> Iterator[list[Route]]:
    """The routes to be changed in place; they are told to Caddy and kept, one change at a time."""
    place.make()
    with _alone(place):
        told = known(place)
        yield told
        told.sort(key=lambda route: route.environment)
        for route in told:
            slots.prepare(place.folder, route.environment)
        rows = [asdict(route) for route in told]
        try:
            _admin(place, "POST", "/load", configuration(place, told, probe.asking(place)))
        except Unreachable:
            _save(place.routes_file, rows)
            raise
        _save(place.routes_file, rows)


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    with (place.folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _save(path: Path, content: Json | list[Json]) -> None:
    """Write a file whole or not at all."""
    beside = path.with_suffix(".new")
    beside.touch(mode=0o600)
    beside.write_text(json.dumps(content, indent=1))
    beside.replace(path)


class _Admin(http.client.HTTPConnection):
    """HTTP over the admin socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(self.path))


def _admin(place: Place, method: str, path: str, body: Json | None = None) -> str:
    connection = _Admin(place.socket)
    try:
        content = json.dumps(body) if body is not None else None
        connection.request(method, path, content, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"The gateway does not answer on {place.socket}: {error}.") from error
    finally:
        connection.close()
    if answer.status >= 400:
        raise GatewayError(f"The gateway refused its new configuration: {text.strip()[:500]}")
    return text
