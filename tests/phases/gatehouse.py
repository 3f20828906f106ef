"""A real Caddy with tiny real servers behind it, for the tests and the benchmark of the gateway."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from phases.gateway import server, slots
from phases.gateway.place import Place
from phases.gateway.routes import Route
from tests.ports import free_port

QA = Route(7, "shop.qa.localhost", public=False)
LIVE = Route(8, "shop.live.localhost", public=True)
HTML = "text/html,application/xhtml+xml"


@dataclass
class Seen:
    """One request as a server behind the gateway got it."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def names(self) -> set[str]:
        return {key.lower() for key, _ in self.headers}


Answer = tuple[int, Mapping[str, str], bytes]


@dataclass
class Backend:
    """A small server that remembers what it was asked and answers what it is told to."""

    answer: Callable[[Seen], Answer]
    seen: list[Seen] = field(default_factory=list)
    port: int = 0
    remember: bool = True

    def __post_init__(self) -> None:
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                seen = Seen(self.command, self.path, list(self.headers.items()), body)
                if backend.remember:
                    backend.seen.append(seen)
                status, headers, content = backend.answer(seen)
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_HEAD = handle_any

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


def saying(text: str) -> Backend:
    """An application that answers every request with `text`."""
    return Backend(lambda seen: (200, {"Content-Type": "text/plain"}, text.encode()))


def doorkeeper() -> Backend:
    """RelMan's part: lets in whoever shows the token "good", as "jane"; enter answers with a word."""

    def answer(seen: Seen) -> Answer:
        if seen.path.startswith("/_gate/enter/"):
            return 200, {"Content-Type": "text/plain"}, f"enter {seen.path}".encode()
        if not seen.path.startswith("/_gate/verify/"):
            return 418, {}, b"this must never be asked"
        if seen.all("RelMan-Token") == ["good"] or seen.all("Cookie")[0].endswith("=good"):
            return 200, {"RelMan-User": "jane", "RelMan-Via": "token"}, b""
        return 401, {"WWW-Authenticate": "Bearer"}, b"no"

    return Backend(answer)


@dataclass
class Reply:
    """What a client got."""

    status: int
    headers: http.client.HTTPMessage
    text: str


@dataclass
class Gatehouse:
    """One running gateway in a folder of its own."""

    home: Path
    web_port: int
    process: subprocess.Popen[bytes] | None = None
    place: Place = field(init=False)
    settled: bytes = b""
    """The routes that it has been given time to take up."""

    def __post_init__(self) -> None:
        self.place = Place(self.home, free_port(), self.web_port)

    def start(self) -> None:
        argv, env = server.start_argv(self.place)
        with (self.home / "gateway.log").open("ab") as log:
            self.process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while not server.alive(self.place):
            assert self.process.poll() is None and time.monotonic() < end, self.log()
            time.sleep(0.05)

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def log(self) -> str:
        return (self.home / "gateway.log").read_text()

    def sync(self, *routes: Route) -> None:
        server.sync(self.place, routes)
        self.settle()

    def settle(self) -> None:
        """Let a reload be over. Caddy answers it when its old server has been told to end, and that one may still take
        a request of the next milliseconds, by the old routes; nothing outside tells when it takes no more."""
        told = self.place.routes_file.read_bytes() if self.place.routes_file.exists() else b""
        if told != self.settled:
            time.sleep(0.1)
        self.settled = told

    def switch(self, environment: int, *backends: Backend, epoch: int | None = None) -> None:
        slots.switch(self.place.folder, environment, [b.address for b in backends], epoch=epoch)

    def ask(self, host: str, path: str = "/", method: str = "GET", body: str = "", **headers: str) -> Reply:
        """One request on a connection of its own; header names with _ for -."""
        self.settle()
        connection = http.client.HTTPConnection("127.0.0.1", self.place.port, timeout=60)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body.encode("latin-1") or None, {"Host": host, **named})
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read().decode())
        finally:
            connection.close()

    def raw(self, request: str) -> str:
        """Bytes as they are, for what a client library would correct."""
        self.settle()
        with socket.create_connection(("127.0.0.1", self.place.port), timeout=60) as line:
            line.sendall(request.encode("latin-1"))
            answer = b""
            with suppress(TimeoutError):
                while piece := line.recv(65536):
                    answer += piece
        return answer.decode("latin-1")

    def running_configuration(self) -> Any:
        return json.loads(server._admin(self.place, "GET", "/config/"))


@dataclass
class Load:
    """Clients that ask without a pause and count what they lose."""

    port: int
    host: str
    clients: int = 6
    keep: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    served: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def __enter__(self) -> Load:
        self.going = True
        self.threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(self.clients)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.going = False
        for thread in self.threads:
            thread.join(60)

    def _ask(self) -> None:
        connection: http.client.HTTPConnection | None = None
        body = b"x" * 100 if self.method == "POST" else None
        while self.going:
            connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                connection.request(self.method, "/", body, {"Host": self.host, **self.headers})
                answer = connection.getresponse()
                text = answer.read().decode()
                if answer.status == 200:
                    self.served[text] = self.served.get(text, 0) + 1
                else:
                    self.lost.append(f"{answer.status} {text[:80]}")
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                connection.close()
                connection = None
            if not self.keep and connection:
                connection.close()
                connection = None
        if connection:
            connection.close()
