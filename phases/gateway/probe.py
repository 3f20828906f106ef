"""RelMan's own look through the gateway: a request that carries a short-lived, signed pass for one environment.

And the other way round: how RelMan knows that a question about a request is its own gateway's."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import os
import secrets
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .place import Place
from .routes import Route

HEADER = "RelMan-Check"
ASKING = "RelMan-Asking"
"""Carried by each of the gateway's own requests to RelMan; no client can send it, the gateway leaves theirs out."""
LIFETIME = 30
"""Seconds that such a pass is good for."""
LIMIT = 5.0
"""Seconds that a look may take in all, whatever the application does."""
MOST = 4096
"""Bytes of the answer that are read."""


@dataclass(frozen=True)
class Observation:
    """What an environment's address answered: a status (None: no answer), a sentence, milliseconds, and the beginning
    of the body. `gateway`: why the gateway itself answered, empty when the application did."""

    status: int | None
    sentence: str
    ms: int
    text: str = ""
    gateway: str = ""

    @property
    def good(self) -> bool:
        """The application answered, and not with an error of its own."""
        return self.status is not None and self.status < 500 and not self.gateway


def key(place: Place) -> bytes:
    """The key that signs; made at the first use, readable by its owner alone."""
    if not place.key_file.exists():
        place.make()
        _create(place.key_file)
    return place.key_file.read_bytes()


def asking(place: Place) -> str:
    """What the gateway shows to RelMan; it stands in Caddy's configuration, which is private as the key is."""
    return hmac.new(key(place), b"relman gateway asks", hashlib.sha256).hexdigest()


def asked_by_gateway(place: Place, given: str) -> bool:
    """Whether the request that carries `given` comes from this installation's gateway."""
    return hmac.compare_digest(given.encode(errors="replace"), asking(place).encode())


def sign(place: Place, environment: int, now: float | None = None) -> str:
    """A pass for one environment, good for LIFETIME seconds."""
    until = int(time.time() if now is None else now) + LIFETIME
    return f"{until}.{_seal(key(place), environment, until)}"


def valid(place: Place, environment: int, given: str, now: float | None = None) -> bool:
    """Whether `given` is a pass for this environment that has not ended."""
    until, _, seal = given.partition(".")
    if not (until.isascii() and until.isdigit() and len(until) < 13):
        return False
    moment = time.time() if now is None else now
    right = _seal(key(place), environment, int(until))
    return hmac.compare_digest(seal.encode(), right.encode()) and moment <= int(until) <= moment + LIFETIME + 1


def check(place: Place, route: Route, path: str = "/") -> Observation:
    """Ask the environment's address, as a client of the gateway would. Never raises for what it finds."""
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=LIMIT)
    try:
        status, gateway, text = _ask(connection, place, route, path)
    except (OSError, http.client.HTTPException) as error:
        took = _ms(started)
        reason = str(error) or type(error).__name__
        return Observation(None, f"{route.host} gave no answer within {LIMIT:.0f} s: {reason}.", took)
    finally:
        connection.close()
    took = _ms(started)
    who = f"the gateway says “{gateway}”" if gateway else "the application answered"
    return Observation(status, f"{route.host} answered {status} in {took} ms: {who}.", took, text, gateway)


def _ask(connection: http.client.HTTPConnection, place: Place, route: Route, path: str) -> tuple[int, str, str]:
    """A timer ends the look after LIMIT: a socket's own timeout starts anew with each byte that drips in."""
    connection.connect()
    timer = threading.Timer(LIMIT, connection.sock.shutdown, [socket.SHUT_RDWR])
    timer.daemon = True
    timer.start()
    try:
        headers = {"Host": f"{route.host}:{place.port}", "User-Agent": "RelMan", "Accept": "*/*"}
        connection.request("GET", path, headers={**headers, HEADER: sign(place, route.environment)})
        answer = connection.getresponse()
        text = answer.read(MOST).decode(errors="replace")
    finally:
        timer.cancel()
    return answer.status, answer.headers.get("RelMan-Gateway", ""), text


def _seal(secret: bytes, environment: int, until: int) -> str:
    return hmac.new(secret, f"relman check {environment} {until}".encode(), hashlib.sha256).hexdigest()


def _create(path: Path) -> None:
    """Two processes may come at once: the first name wins."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(secrets.token_bytes(32))
    try:
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        beside.unlink()


def _ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
