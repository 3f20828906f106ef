"""One try of one request over one connection: bodies that stream, timeouts, proxies, answers that come early."""

from __future__ import annotations

import base64
import email.utils
import http.client
import json
import os
import select
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from relman.cli.failure import usage

CONNECT_SECONDS = 10.0
LARGEST_ANSWER = 64 * 1024 * 1024  # bytes; the API pages its lists, nothing comes near


class Body(Protocol):
    """What a request carries: can be sent again from its start, and never needs to be whole in memory."""

    content_type: str
    length: int

    def chunks(self) -> Iterator[bytes]:
        """The bytes from the first one, for one try."""
        ...


class JsonBody:
    """A small document."""

    content_type = "application/json"

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._bytes = json.dumps(document).encode()
        self.length = len(self._bytes)

    def chunks(self) -> Iterator[bytes]:
        """All of it at once."""
        yield self._bytes


@dataclass(frozen=True)
class Answer:
    """What came back: status, headers by lower-case name, content."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def problem(self) -> dict[str, Any] | None:
        """The problem document of RFC 9457, if that is what this is."""
        if "json" not in self.headers.get("content-type", ""):
            return None
        try:
            document = json.loads(self.content)
        except ValueError:
            return None
        return document if isinstance(document, dict) else None

    def retry_after(self) -> float | None:
        """Seconds that the server asks to wait; None if it does not say, or not understandably."""
        text = self.headers.get("retry-after", "").strip()
        if text.isdigit():
            return float(text)
        try:
            return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
        except (TypeError, ValueError):
            return None


@dataclass(frozen=True)
class Place:
    """Where a RelMan is: scheme, host, port, and the path below which it answers (usually none)."""

    secure: bool
    host: str
    port: int
    path: str
    url: str

    @staticmethod
    def of(url: str) -> Place:
        """Parse the address a person gave; a trailing /api/v1 is forgiven."""
        clean = url.strip().rstrip("/").removesuffix("/api/v1").removesuffix("/api")
        try:
            parts = urlsplit(clean)
            port = parts.port
        except ValueError:
            raise usage(f"'{url}' is not an address. Write it like https://relman.example.org.") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise usage(f"'{url}' is not an address of RelMan. Write it like https://relman.example.org.")
        secure = parts.scheme == "https"
        return Place(secure, parts.hostname, port or (443 if secure else 80), parts.path.rstrip("/"), clean)

    def target(self, path: str) -> str:
        """The request target of a path below /api/v1/."""
        return f"{self.path}/api/v1/{path}"


def attempt(
    place: Place, method: str, path: str, headers: Mapping[str, str], body: Body | None, patience: float
) -> Answer:
    """Send once and read the answer. Raises OSError or http.client.HTTPException when there is none."""
    connection, prefix, added = _connection(place)
    try:
        connection.connect()
        connection.sock.settimeout(patience)
        connection.putrequest(method, prefix + place.target(path), skip_accept_encoding=True)
        for name, value in {**headers, **added}.items():
            connection.putheader(name, value)
        _send(connection, body, place.secure)
        response = connection.getresponse()
        content = response.read(LARGEST_ANSWER)
        if response.length:
            raise http.client.IncompleteRead(content, response.length)
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)
    finally:
        connection.close()


def _send(connection: http.client.HTTPConnection, body: Body | None, secure: bool) -> None:
    """Send the body in pieces, and stop when the server has answered before its end.

    With TLS readable bytes may be the protocol's own, so there only a closed connection ends it early.
    """
    if body is None:
        return connection.endheaders()
    connection.putheader("Content-Type", body.content_type)
    connection.putheader("Content-Length", str(body.length))
    connection.endheaders()
    try:
        for chunk in body.chunks():
            if not secure and select.select([connection.sock], [], [], 0)[0]:
                return None
            connection.send(chunk)
    except (BrokenPipeError, ConnectionResetError):
        return None  # what it answered before it hung up may still be there to read; if not, reading raises
    return None


def _connection(place: Place) -> tuple[http.client.HTTPConnection, str, dict[str, str]]:
    """A connection not yet opened; what to put before the target and which headers to add, for a proxy's sake."""
    kind = http.client.HTTPSConnection if place.secure else http.client.HTTPConnection
    proxy = _proxy(place)
    if proxy is None:
        return kind(place.host, place.port, timeout=CONNECT_SECONDS), "", {}
    connection = kind(proxy.host, proxy.port, timeout=CONNECT_SECONDS)
    if place.secure:
        connection.set_tunnel(place.host, place.port, proxy.headers)
        return connection, "", {}
    host = f"[{place.host}]" if ":" in place.host else place.host
    return connection, f"http://{host}:{place.port}", proxy.headers


@dataclass(frozen=True)
class _Proxy:
    host: str
    port: int
    headers: dict[str, str]


def _proxy(place: Place) -> _Proxy | None:
    """The proxy that the environment names for this place; this machine itself is never asked through one."""
    named = any(name.lower().endswith("_proxy") for name in os.environ)
    if not named or place.host in ("localhost", "127.0.0.1", "::1") or place.host.endswith(".localhost"):
        return None
    from urllib.request import getproxies, proxy_bypass  # slow to import, rarely needed

    found = getproxies().get("https" if place.secure else "http")
    if not found or proxy_bypass(f"{place.host}:{place.port}"):
        return None
    parts = urlsplit(found if "://" in found else f"http://{found}")
    if not parts.hostname:
        raise usage(f"The proxy '{found}' that the environment names is not an address.")
    return _Proxy(parts.hostname, parts.port or 8080, _proxy_pass(parts.username, parts.password))


def _proxy_pass(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair).decode()}
