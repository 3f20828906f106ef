"""What the samples share: a small web server that tells its version, phase and configuration."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
VERSION = (HERE / "VERSION").read_text().strip()
STYLE = (HERE / "page.css").read_bytes()
PHASE = os.environ.get("RELMAN_PHASE", "nowhere")

Answer = tuple[int, str, str]
Route = Callable[[], Answer]


def page(title: str, body: str) -> Answer:
    """A whole HTML page; `body` is HTML."""
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<title>{html.escape(title)}</title><link rel="stylesheet" href="/page.css">'
        f"<main><header><h1>{html.escape(title)}</h1>"
        f'<p class="tags"><span>Version <b>{html.escape(VERSION)}</b></span>'
        f"<span>Phase <b>{html.escape(PHASE)}</b></span></p></header>{body}</main></html>"
    )
    return 200, "text/html; charset=utf-8", text


def table(rows: Mapping[str, str]) -> str:
    """Rows of facts as HTML."""
    cells = "".join(f"<tr><th>{html.escape(key)}</th><td>{html.escape(value)}</td></tr>" for key, value in rows.items())
    return f"<table>{cells}</table>"


def text(words: str, status: int = 200) -> Answer:
    """Plain text."""
    return status, "text/plain; charset=utf-8", words


def serve(routes: Mapping[str, Route], health: Route = lambda: text("ok")) -> None:
    """Answer on 127.0.0.1:$PORT until the end."""
    known = {"/healthz": health, "/version": lambda: text(VERSION), **routes}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if path == "/page.css":
                return self.answer(200, "text/css", STYLE)
            status, kind, words = known.get(path, lambda: text("Not here.", 404))()
            self.answer(status, kind, words.encode())

        def answer(self, status: int, kind: str, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, form: str, *parts: object) -> None:
            if not self.path.startswith("/healthz"):
                print(f"{self.command} {self.path} {parts[1] if len(parts) > 1 else ''}", flush=True)

    port = int(os.environ["PORT"])
    print(f"Version {VERSION} listens on port {port}.", flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
