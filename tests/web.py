"""A real web process, as the demo runs it: for what only a real server shows."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Web:
    """A running web process."""

    process: subprocess.Popen[bytes]
    port: int

    def memory(self, what: str = "VmRSS") -> int:
        """Bytes that it holds (VmRSS), or held at most (VmHWM)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{what}:"):
                return int(line.split()[1]) * 1024
        raise LookupError(what)

    def forget_peak(self) -> None:
        """Let VmHWM begin anew."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")


@contextlib.contextmanager
def web(variables: Mapping[str, str], log: Path) -> Iterator[Web]:
    """Start uvicorn on a free port and wait until it listens; end it afterwards."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "relman.asgi:application",
        "--port",
        str(port),
        "--log-level",
        "warning",
    ]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "relman.settings", "RELMAN_PORT": str(port), **variables}
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        listening(process, port, log)
        yield Web(process, port)
    finally:
        process.kill()
        process.wait()


def listening(process: subprocess.Popen[bytes], port: int, log: Path, seconds: float = 120) -> None:
    """Wait until somebody listens there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"The web process does not listen: {log.read_text()[-2000:]}")


def database_url(settings: Mapping[str, object]) -> str:
    """The URL of a database that Django is connected to."""
    from urllib.parse import quote

    host = quote(str(settings["HOST"]), safe="")
    who = quote(str(settings["USER"]), safe="") + (
        f":{quote(str(settings['PASSWORD']))}" if settings["PASSWORD"] else ""
    )
    port = f":{settings['PORT']}" if settings["PORT"] else ""
    return f"postgres://{who}@{host}{port}/{settings['NAME']}"
