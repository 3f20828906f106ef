"""Where the gateway lives on this machine: its ports, files and sockets."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .errors import GatewayError

SOCKET_MAX = 107
"""Bytes that the path of a Unix socket may have."""


@dataclass(frozen=True)
class Place:
    """One gateway: RelMan's data folder, the gateway's port and the port of RelMan's web server."""

    home: Path
    port: int
    web_port: int

    def __post_init__(self) -> None:
        # Caddy reads braces as placeholders: such a path would name another file.
        if set("{}") & set(str(self.home)) or not self.home.is_absolute():
            raise GatewayError(f"RELMAN_HOME must be an absolute path without braces, not “{self.home}”.")

    @property
    def folder(self) -> Path:
        """Everything the gateway keeps."""
        return self.home / "gateway"

    @property
    def routes_file(self) -> Path:
        """The routes as last told: what a restarted gateway serves until it is told again."""
        return self.folder / "routes.json"

    @property
    def configuration_file(self) -> Path:
        """What Caddy starts with; made from the routes at each start."""
        return self.folder / "caddy.json"

    @property
    def key_file(self) -> Path:
        """The key that signs RelMan's own checks."""
        return self.home / "keys" / "gateway"

    @property
    def socket(self) -> Path:
        """Caddy's admin socket: below the data folder, or in a private folder of /tmp when that path is too long."""
        path = self.home / "run" / "gateway.sock"
        if len(os.fsencode(path)) <= SOCKET_MAX:
            return path
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"relman-{os.getuid()}-{name}" / "gateway.sock"

    def make(self) -> None:
        """Create the folders, readable by their owner alone. GatewayError: somebody else owns one."""
        for folder in (self.folder, self.key_file.parent, self.socket.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self.socket.parent.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise GatewayError(f"{self.socket.parent} belongs to somebody else; remove it or use another RELMAN_HOME.")
        if self.socket.parent.parent == Path(tempfile.gettempdir()):
            self.socket.parent.chmod(0o700)
