"""A small web application: pages, /healthz, /version. Python's standard library and nothing else."""

import html
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

HERE = Path(__file__).resolve().parent
APPLICATION = os.environ.get("RELMAN_APPLICATION", HERE.name)
PHASE = os.environ.get("RELMAN_PHASE", "nowhere")
STARTED = time.time()
VERSION = (HERE / "VERSION").read_text().strip()
TEXT, HTML = "text/plain; charset=utf-8", "text/html; charset=utf-8"
TITLES = {"dev": "Dev", "qa": "QA", "demo": "Demo", "stage": "Stage", "live": "Live"}


def fact(name):
    """What this version was built with under that name; empty when nothing."""
    path = HERE / name
    return path.read_text().strip() if path.exists() else ""


def e(value):
    """Text, safe inside HTML."""
    return html.escape(str(value), quote=True)


class Application:
    """Routes to functions that take the request's fields and give HTML, or a dict for JSON."""

    def __init__(self, title, accent, settings, secrets=()):
        self.title, self.accent, self.settings, self.secrets = title, accent, settings, secrets
        self.pages, self.forms = {}, {}

    def problem(self):
        """Why this is not healthy; empty when it is."""
        missing = [name for name in fact("NEEDS").split() if not os.environ.get(name)]
        return fact("BROKEN") or (f"cannot work without {', '.join(missing)}" if missing else "")

    def page(self, path):
        """What a GET of this path answers."""
        return lambda function: self.pages.setdefault(path, function)

    def form(self, path):
        """What a POST to this path does; the browser then goes back to the page."""
        return lambda function: self.forms.setdefault(path, function)

    def serve(self):
        """Answer requests until SIGTERM, then finish those that have begun."""
        server = Server(("127.0.0.1", int(os.environ["PORT"])), handler(self))
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        print(f"{APPLICATION} {VERSION} in {PHASE} listens on port {os.environ['PORT']}", flush=True)
        server.serve_forever(poll_interval=0.1)
        server.server_close()
        print(f"{APPLICATION} {VERSION} has stopped", flush=True)


class Server(ThreadingHTTPServer):
    """Waits for requests that have begun when it closes."""

    daemon_threads = False
    request_queue_size = 256


class Handler(BaseHTTPRequestHandler):
    """The addresses of one application: pages, forms, health and version."""

    app = None
    timeout = 15

    def do_GET(self):
        path = urlsplit(self.path)
        fields = {key: values[-1] for key, values in parse_qs(path.query).items()}
        if path.path == "/version":
            self.answer(VERSION, TEXT)
        elif path.path == "/healthz":
            problem = self.app.problem()
            self.answer(problem or "ok", TEXT, 503 if problem else 200)
        elif path.path in self.app.pages:
            self.page(self.app.pages[path.path](fields))
        else:
            self.answer(document(self.app, "<h1>Not here</h1><p><a href='/'>Start</a></p>"), HTML, 404)

    do_HEAD = do_GET

    def do_POST(self):
        size = min(int(self.headers.get("Content-Length") or 0), 10_000)
        fields = {key: values[-1] for key, values in parse_qs(self.rfile.read(size).decode()).items()}
        if self.path not in self.app.forms:
            return self.answer("Not here", TEXT, 404)
        self.app.forms[self.path](fields)
        self.send_response(303)
        self.send_header("Location", "/")
        self.end_headers()

    def page(self, body):
        """A page's own part as a whole page; data as JSON."""
        if isinstance(body, dict):
            self.answer(json.dumps(body, indent=2), "application/json")
        else:
            self.answer(document(self.app, body), HTML)

    def answer(self, body, kind, status=200):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, text, *arguments):
        if self.path not in ("/healthz", "/version"):
            print(self.log_date_time_string(), text % arguments, flush=True)


def handler(app):
    """The request handler of one application."""
    return type("Handler", (Handler,), {"app": app})


def document(app, body):
    """A whole page: the application's own part, then what runs here."""
    rows = "".join(f"<tr><th>{e(name)}<td>{shown(app, name)}" for name in app.settings)
    settings = f"<h2>Configuration</h2><table>{rows}</table>" if rows else ""
    phase = TITLES.get(PHASE, PHASE)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{e(app.title)} {e(VERSION)} · {e(phase)}</title><link rel="icon" href="data:,">
<style>{STYLE}</style><body style="--accent: {app.accent}">
<header><a href="/"><span class="mark">{e(app.title[0])}</span>{e(app.title)}</a>
<span class="phase">{e(phase)}</span></header>
<main>{body}</main>
<footer><p><b>{e(app.title)} <span class="version">{e(VERSION)}</span></b> in <b>{e(phase)}</b>,
process {os.getpid()}, up {uptime()}</p>{settings}</footer></body></html>
"""


def shown(app, name):
    """A setting as the page shows it: secrets only by their length."""
    value = os.environ.get(name)
    if value is None:
        return "<i>not set</i>"
    return f"<i>secret, {len(value)} characters</i>" if name in app.secrets else e(value)


def uptime():
    """How long this process has run, in words."""
    seconds = int(time.time() - STARTED)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


STYLE = """
:root { color-scheme: light dark; --ink: #1c1d22; --soft: #666a75; --paper: #fbfaf8; --card: #fff; --line: #e5e3de }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececf0; --soft: #9fa2ad; --paper: #141519; --card: #1d1f25; --line: #32343c } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 ui-sans-serif, system-ui, sans-serif }
header, main, footer { max-width: 46rem; margin: 0 auto; padding: 1.25rem 1.5rem }
header { display: flex; justify-content: space-between; align-items: center }
header a { display: flex; gap: .7rem; align-items: center; font-weight: 650; color: inherit; text-decoration: none }
.mark { display: grid; place-items: center; width: 2rem; height: 2rem; border-radius: .6rem; color: #fff;
  background: var(--accent); font-weight: 700 }
.phase { padding: .1rem .75rem; border: 1px solid var(--line); border-radius: 99px; font-size: .85rem;
  color: var(--soft) }
h1 { font: 600 clamp(1.9rem, 5vw, 2.9rem)/1.15 ui-serif, Georgia, serif; letter-spacing: -.015em;
  margin: 1.5rem 0 .5rem; text-wrap: balance }
h2 { font-size: .8rem; font-weight: 600; letter-spacing: .04em; color: var(--soft); margin: 1.25rem 0 .4rem }
p.lead { font-size: 1.1rem; color: var(--soft); margin: 0 0 2rem; max-width: 36rem }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(12rem, 1fr)); gap: .9rem; padding: 0;
  list-style: none }
.cards li { padding: 1rem 1.1rem; border: 1px solid var(--line); border-radius: .8rem; background: var(--card) }
.cards b { display: block } .cards span { color: var(--soft); font-variant-numeric: tabular-nums }
table { border-collapse: collapse; width: 100%; font-size: .92rem } td { overflow-wrap: anywhere }
th, td { text-align: left; padding: .45rem .8rem .45rem 0; border-top: 1px solid var(--line); font-weight: 400 }
th { width: 12rem; font-family: ui-monospace, monospace; font-size: .85rem; color: var(--soft) }
td.number { text-align: right; padding-right: 0; font-variant-numeric: tabular-nums }
form { display: flex; gap: .6rem; flex-wrap: wrap; margin: 1.2rem 0 }
input { font: inherit; padding: .5rem .8rem; border: 1px solid var(--line); border-radius: .6rem;
  background: var(--card); color: inherit; min-width: 0; flex: 1 10rem }
button { font: inherit; font-weight: 600; padding: .5rem 1.1rem; border: 0; border-radius: .6rem;
  background: var(--accent); color: #fff; cursor: pointer }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
a { color: inherit } i { color: var(--soft) }
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); font-size: .92rem; color: var(--soft) }
footer b { color: var(--ink); font-weight: 600 } .version { font-family: ui-monospace, monospace; font-weight: 500 }
"""


if __name__ == "__main__":
    sys.exit("Start app.py instead.")
