"""A small real HTTP server that speaks the API's contract, as far as a test told it what to answer."""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG_UP = 0
"""As a status: close the connection without an answer."""


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        """The JSON that was sent."""
        return json.loads(self.content)


@dataclass
class Told:
    """One answer to give."""

    status: int
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    before_body: bool = False
    """Answer as soon as the headers are in, and hang up with the body unread."""


@dataclass
class Api:
    """What was asked, and what is to be answered; the last answer for a request is given for ever."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, deque[Told]] = field(default_factory=lambda: defaultdict(deque))

    def on(self, request: str, document: Any = None, status: int = 200, **more: Any) -> None:
        """Answer `request`, like "GET me/", with this after what was told before."""
        self.answers[request].append(Told(status, document, **more))

    def problem(self, request: str, status: int, detail: str, **extra: Any) -> None:
        """Answer with problem+json."""
        self.on(request, {"title": "No", "status": status, "code": "test", "detail": detail, **extra}, status)

    def take(self, request: str) -> Told:
        """The answer for a request, without looking at its query."""
        waiting = self.answers.get(request)
        if not waiting:
            return Told(404, {"detail": f"No answer for {request}.", "code": "not_found"})
        return waiting.popleft() if len(waiting) > 1 else waiting[0]


@contextmanager
def serving() -> Iterator[Api]:
    """The server, on a free port of this machine."""
    api = Api()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Quiet."""

        def _answer(self) -> None:
            path = self.path.removeprefix("/api/v1/")
            told = api.take(f"{self.command} {path.partition('?')[0]}")
            length = 0 if told.before_body else int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            api.asked.append(Asked(self.command, path, headers, self.rfile.read(length)))
            if told.status == HANG_UP:
                self.close_connection = True
                return
            self._tell(told)

        def _tell(self, told: Told) -> None:
            raw = isinstance(told.document, bytes)
            content = told.document if raw else json.dumps(told.document).encode()
            kind = "text/html" if raw else "application/problem+json" if told.status >= 400 else "application/json"
            self.send_response(told.status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **told.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _answer

    return Handler
