"""A Valkey of our own, the broker: it listens on a socket only, and lives as long as whoever started it."""

from __future__ import annotations

import signal
import socket
from collections.abc import Mapping
from pathlib import Path

from . import binaries
from .process import SYSTEM_PATH, Service, tied


class Valkey:
    """One server with its append-only file in `data` and its socket in `sockets`."""

    def __init__(
        self, data: Path, sockets: Path, *, durable: bool = True, environment: Mapping[str, str] | None = None
    ) -> None:
        self.data, self.durable = data.resolve(), durable
        self.socket = sockets.resolve() / "valkey.sock"
        self.environment = {"PATH": SYSTEM_PATH, "LC_ALL": "C", **(environment or {})}

    @property
    def url(self) -> str:
        """What BROKER_URL holds."""
        return f"redis+socket://{self.socket}"

    def service(self) -> Service:
        """How to start it."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.data),
            "appendonly": "yes" if self.durable else "no",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "set-proc-title": "no",  # the title would be written over the environment that says whose it is
        }
        server = [str(binaries.valkey()), *(word for name, value in options.items() for word in (f"--{name}", value))]
        return Service("Valkey", tied(server, signal.SIGKILL), ready=self._ready, environment=self.environment)

    def _ready(self) -> bool:
        return self.ask("PING").startswith(b"+PONG")

    def ask(self, command: str) -> bytes:
        """One command, its answer as the server writes it; empty when it does not answer."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(2)
                connection.connect(str(self.socket))
                connection.sendall(command.encode() + b"\r\n")
                return connection.recv(65536)
        except OSError:
            return b""
