"""Where one installation lives on this machine: its data directory, its two ports, and what its processes are told."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import folders, guard
from .process import StartFailed

CHECKOUT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
DECIDED = ("DATABASE_URL", "BROKER_URL", "SECRET_KEY", "RELMAN_SECRETS_KEY")
"""Settings that `up` decides itself, whatever its environment says."""


@dataclass(frozen=True)
class Place:
    """An installation: `home` is absolute; both ports are on the loopback address only."""

    home: Path
    port: int
    gateway_port: int
    demo: bool

    @property
    def names(self) -> dict[str, str]:
        """The variables that every process carries, the database server too."""
        return {
            "RELMAN_HOME": str(self.home),
            "RELMAN_PORT": str(self.port),
            "RELMAN_GATEWAY_PORT": str(self.gateway_port),
            "RELMAN_DEMO": "1" if self.demo else "",
        }

    def environment(self, database_url: str, broker_url: str) -> dict[str, str]:
        """What RelMan's own processes are told: ours, and of the caller's what we do not decide."""
        inherited = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in DECIDED}
        return {
            **inherited,
            **self.names,
            "DATABASE_URL": database_url,
            "BROKER_URL": broker_url,
            "SECRET_KEY_FILE": str(folders.key(self.home, "session")),
            "RELMAN_SECRETS_KEY_FILE": str(folders.key(self.home, "secrets")),
            "DJANGO_SETTINGS_MODULE": "relman.settings",
            "PYTHONUNBUFFERED": "1",
        }


def here(environment: Mapping[str, str] = os.environ) -> Place:
    """The place that the environment names. StartFailed: a sentence about the variable that is wrong."""
    home = Path(environment.get("RELMAN_HOME") or CHECKOUT / ".relman").expanduser().resolve()
    port = _port(environment, "RELMAN_PORT", 8000)
    gateway_port = _port(environment, "RELMAN_GATEWAY_PORT", 8080)
    if port == gateway_port:
        raise StartFailed(f"RELMAN_PORT and RELMAN_GATEWAY_PORT are both {port}: give each a port of its own.")
    return Place(home, port, gateway_port, demo=environment.get("RELMAN_DEMO") == "1")


@contextlib.contextmanager
def held(home: Path) -> Iterator[None]:
    """Hold the data directory, after what a killed `up` left is gone. StartFailed when it is taken."""
    folders.prepare(home)
    with (home / "run" / "up.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartFailed(
                f"RelMan is already running from {home}. Stop that one first, or choose another RELMAN_HOME "
                "(and RELMAN_PORT, RELMAN_GATEWAY_PORT) for a second one."
            ) from None
        if not guard.wait_for(home):
            raise StartFailed(f"Processes of an earlier run in {home} do not end: end them, then start again.")
        yield


def claim_ports(place: Place) -> None:
    """StartFailed when one of the two ports is taken: the sentence names it."""
    for name, port in (("RELMAN_PORT", place.port), ("RELMAN_GATEWAY_PORT", place.gateway_port)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError as problem:
                raise StartFailed(
                    f"Port {port} on {LOOPBACK} cannot be used ({problem.strerror}): stop what uses it, or set {name}."
                ) from None


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isdecimal() and 0 < int(text) < 65536):
        raise StartFailed(f"{name} is {text!r}, which is no port: choose a number from 1 to 65535.")
    return int(text)
