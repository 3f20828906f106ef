"""One look at a running instance, with limits that nothing it answers can stretch."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Mapping
from typing import Any

from phases.drivers.base import Instance, Probe, Target
from phases.drivers.local import instances, processes
from phases.drivers.local.instances import Record
from phases.drivers.local.layout import Place
from phases.drivers.masking import clean

LARGEST = 64 * 1024
"""Bytes of an answer; a health check that says more is not one."""
LONGEST_VERSION = 128
JUST_NOW = 30.0
"""Seconds since its last start in which a restarted process still counts as one that ended."""


class _Bad(Exception):
    """An answer that counts as unhealthy; its sentence."""


def inspect(
    target: Target, place: Place, record: Record, instance: Instance, manifest: Mapping[str, Any], timeout: float
) -> Probe:
    """Process, port, health and version of one instance. All of it ends within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    exited = _exited(place, instance)
    if instance.pid is None:
        return Probe(False, "The process has ended; its log says why.", exited=exited)
    owner = instances.listens(place, record)
    if not owner:
        taken = f"Port {record.port} is held by another process than the one just started."
        return Probe(False, f"Nothing listens on port {record.port} yet." if owner is None else taken, exited=exited)
    host = f"{target.application}.{target.phase}.localhost"
    run = manifest["run"]
    try:
        status = _get(record.port, host, run["health"], deadline)[0]
        version = _version(record.port, host, run["version"], deadline) if run.get("version") else None
    except _Bad as bad:
        return Probe(False, str(bad), exited=exited)
    return Probe(not exited, "It ended and was started again." if exited else f"Answered {status}.", version, exited)


def reported(target: Target, port: int, manifest: Mapping[str, Any], timeout: float) -> str | None:
    """The version that whoever has this port reports; None when it reports none, or none is asked for."""
    path = manifest["run"].get("version")
    host = f"{target.application}.{target.phase}.localhost"
    try:
        return _version(port, host, path, time.monotonic() + timeout) or None if path else None
    except _Bad:
        return None


def _exited(place: Place, instance: Instance) -> bool:
    """Whether it ended by itself, or did so a moment ago and was started again."""
    if instance.pid is None:
        was_launched = bool(processes.recorded(str(instances.run_of(place, instance.name))))
        return was_launched or instance.state != "starting"
    return instance.restarts > 0 and instance.since is not None and time.time() - instance.since < JUST_NOW


def _version(port: int, host: str, path: str, deadline: float) -> str:
    body = _get(port, host, path, deadline)[1]
    return clean(body.decode("utf-8", "replace").strip())[:LONGEST_VERSION]


def _get(port: int, host: str, path: str, deadline: float) -> tuple[int, bytes]:
    """Status and body of a 2xx answer. Raises _Bad for everything else; redirects are not followed."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.sock = _connect(port, deadline)
        connection.request("GET", path, headers={"Host": host, "User-Agent": "RelMan", "Connection": "close"})
        answer = connection.getresponse()
        if not 200 <= answer.status < 300:
            raise _Bad(f"{path} answered {answer.status}; it must answer 2xx.")
        body = answer.read(LARGEST + 1)
        if len(body) > LARGEST:
            raise _Bad(f"{path} answered more than {LARGEST // 1024} KiB.")
        return answer.status, body
    except TimeoutError:
        raise _Bad(f"{path} did not answer in time.") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _Bad(f"{path} gave no proper answer ({type(error).__name__}).") from None
    finally:
        connection.close()


def _connect(port: int, deadline: float) -> socket.socket:
    hurried = _Hurried(socket.AF_INET, socket.SOCK_STREAM)
    hurried.deadline = deadline
    try:
        hurried.hurry()
        hurried.connect(("127.0.0.1", port))
    except BaseException:
        hurried.close()
        raise
    return hurried


class _Hurried(socket.socket):
    """A socket with one deadline for everything, so that an answer that drips in ends too."""

    deadline: float

    def hurry(self) -> None:
        """Let the next operation take what time is left. Raises TimeoutError when there is none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)

    def recv_into(self, *arguments: Any, **more: Any) -> int:
        self.hurry()
        return super().recv_into(*arguments, **more)

    def sendall(self, *arguments: Any, **more: Any) -> None:
        self.hurry()
        super().sendall(*arguments, **more)
