"""A real supervisor, real processes: one installation for all tests of a file, an environment for each."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phases.drivers.archive import inspect_archive
from phases.drivers.base import Context, Package, Probe, Succeeded, Target
from phases.drivers.ledger import Ledger
from phases.drivers.local import installation
from phases.drivers.local.driver import LocalDriver
from phases.drivers.local.layout import Layout, Place
from tests.phases.drivers.archives import member, tar

APP = b"""
import http.server, json, os, pathlib, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        what = os.environ.get("HEALTH", "ok")
        body = {"/version": os.environ["RELMAN_VERSION"].encode(), "/env": json.dumps(dict(os.environ)).encode(),
                "/pid": str(os.getpid()).encode(), "/big": b"x" * 200_000}.get(self.path, b"ok")
        if self.path.startswith("/read/"):
            try:
                body = pathlib.Path(self.path[5:]).read_bytes()[:50]
            except OSError as error:
                body = type(error).__name__.encode()
        if self.path == "/write":
            pathlib.Path(os.environ["HOME"], "note").write_text("mine")
            pathlib.Path("beside").write_text("mine")
            tried = []
            for change in (lambda: pathlib.Path("app.py").write_text("changed"), lambda: os.remove("app.py"),
                           lambda: os.rename("beside", "app.py"), lambda: pathlib.Path("static/x").write_text("")):
                try:
                    change()
                except OSError as error:
                    tried.append(type(error).__name__)
            body = " ".join(tried).encode()
        self.send_response(500 if what == "bad" else 200)
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer.daemon_threads = True
print("hello from", os.environ["RELMAN_VERSION"], os.environ.get("SECRET", ""), flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
LOOK = 20.0
"""Seconds that one look at an instance may take: a busy machine is slow."""
_numbers = itertools.count(1)


class Installation:
    """Makes environments, packages and contexts, and waits."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.driver = LocalDriver(home)
        self.layout = Layout(home)

    def target(self, **more: Any) -> Target:
        """An environment that nothing was deployed to."""
        return Target(next(_numbers), "shop", "qa", **more)

    def package(self, version: str = "1.0.0", command: str = "exec python3 app.py", toml: str = "") -> Package:
        """A small web application as a package; `toml` is added to its relman.toml."""
        head = f"[run]\ncommand = {command!r}\nhealth = '/healthz'\nversion = '/version'\n"
        folder = Path(tempfile.mkdtemp(dir=self.home))
        path = tar(folder / "app.tgz", member("app.py", APP), toml=(head + toml).encode())
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return Package(version, path, digest, path.stat().st_size, inspect_archive(path))

    def context(self, target: Target, package: Package, promotion: int = 1, **more: Any) -> Context:
        """A call for one step of a promotion."""
        return Context(
            **{"target": target, "promotion": promotion, "epoch": promotion, "step": 1, "package": package, **more}
        )

    def place(self, target: Target) -> Place:
        """The folders of an environment."""
        return self.layout.place(target.environment)

    def ledger(self, target: Target) -> list[str]:
        """What happened, in order."""
        return [entry["what"] for entry in Ledger(self.place(target).control).entries()]

    def deploy(self, context: Context) -> list[str]:
        """unpack and start; gives the addresses."""
        for step, kind in enumerate(("unpack", "start"), 1):
            result = self.driver.run(kind, replace(context, step=step))
            assert isinstance(result, Succeeded), result
            left = result.left
        return list(left["upstreams"])

    def probe(self, context: Context, *, instance: int = 0, healthy: bool = True, seconds: float = 60.0) -> Probe:
        """Look at one of the promotion's instances until it is healthy, or exited."""
        deadline = time.monotonic() + seconds
        while True:
            mine = [one for one in self.driver.instances(context.target) if one.promotion == context.promotion]
            probe = self.driver.inspect(context.target, mine[instance], context.artifact.manifest, LOOK)
            if probe.healthy == healthy or probe.exited or time.monotonic() > deadline:
                return probe
            time.sleep(0.05)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A data directory that other users may walk through, as RelMan's own is. With the file its processes end, so that
    they take no time and memory from the tests that follow."""
    folder = Path(tempfile.mkdtemp(prefix="relman-drivers-"))
    folder.chmod(0o711)
    (folder / "keys").mkdir(mode=0o700)
    (folder / "keys" / "secret").write_text("the key")
    yield folder
    installation.forget(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def local(home: Path) -> Installation:
    """The local driver with a supervisor that runs."""
    installation.ensure_supervisor(home)
    return Installation(home)


@pytest.fixture
def wait() -> Callable[[Callable[[], object]], None]:
    """Wait until something holds, at most a minute: a busy machine is slow, and a broken one waits in vain."""

    def until(holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline, "waited a minute in vain"
            time.sleep(0.03)

    return until


def fetch(address: str, path: str = "/") -> str:
    """The body of an answer."""
    import urllib.request

    with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as answer:
        return str(answer.read().decode())


def own(environment: Mapping[str, str]) -> set[str]:
    """Names of variables that the shell did not add by itself."""
    return set(environment) - {"PWD", "SHLVL", "_", "OLDPWD", "LC_CTYPE"}
