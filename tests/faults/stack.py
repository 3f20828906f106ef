"""A RelMan of real processes that can be killed one by one: PostgreSQL, Valkey, web, and any number of workers."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relman.embedded import folders
from relman.embedded.postgres import APPLICATION, Postgres
from relman.embedded.process import Service, StartFailed, await_ready, start, stop, tied
from relman.embedded.valkey import Valkey
from tests.ports import free_port
from tests.web import ROOT, listening

QUICK = {"RELMAN_LEASE": "3", "RELMAN_SWEEP": "1", "RELMAN_RING_AGAIN": "2"}
"""Shortened settings, so that many faults fit into a minute."""


def resident(pid: int) -> float:
    """Resident memory of a process in MB; 0 when it is gone."""
    with contextlib.suppress(OSError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return 0.0


@dataclass
class Worker:
    """One worker: the process that hands out work, and its children."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    begin: int
    """Where its own words begin in the log."""

    def children(self) -> list[int]:
        """The processes that visit promotions."""
        pid = self.process.pid
        try:
            return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:
            return []

    def memory(self) -> dict[int, float]:
        """Resident memory of its processes, in MB."""
        return {pid: found for pid in [self.process.pid, *self.children()] if (found := resident(pid))}

    def signal(self, sign: signal.Signals) -> None:
        """Send it to the whole worker."""
        for pid in [self.process.pid, *self.children()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)

    def kill(self) -> None:
        """kill -9 of the whole worker."""
        pids = [self.process.pid, *self.children()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def await_ready(self, seconds: float = 180) -> None:
        end = time.monotonic() + seconds
        while b" ready." not in self.log.read_bytes()[self.begin :]:
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError(f"{self.name} does not start: {self.log.read_text()[-3000:]}")
            time.sleep(0.1)


@dataclass
class Stack:
    """All processes of one drill, below one temporary folder."""

    home: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="relman-faults-")))
    settings: Mapping[str, str] = field(default_factory=lambda: dict(QUICK))
    workers: list[Worker] = field(default_factory=list)
    web: subprocess.Popen[bytes] | None = None
    port: int = 0

    def __post_init__(self) -> None:
        folders.prepare(self.home)
        self.postgres = Postgres(self.home / "postgres", folders.run(self.home), durable=False)
        self.valkey = Valkey(self.home / "valkey", folders.run(self.home), durable=False)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.points = self.home / "points"
        self.points.mkdir()
        self.started = 0

    @property
    def variables(self) -> dict[str, str]:
        """What RelMan's processes are told."""
        return {
            **self.settings,
            "DATABASE_URL": self.postgres.url,
            "BROKER_URL": self.valkey.url,
            "SECRET_KEY": "thrown-away-" + folders.key(self.home, "secret").read_text().strip(),
            "RELMAN_SECRETS_KEY": folders.key(self.home, "secrets").read_text().strip(),
            "RELMAN_HOME": str(self.home),
            "DJANGO_SETTINGS_MODULE": "relman.settings",
            "FAULTS_POINTS": str(self.points),
        }

    def service(self, name: str) -> Service:
        """PostgreSQL keeps what it confirmed through a kill -9; Valkey comes back empty."""
        if name == "valkey":
            return self.valkey.service()
        service = self.postgres.service()
        words = ["synchronous_commit=on" if word == "synchronous_commit=off" else word for word in service.argv]
        return dataclasses.replace(service, argv=words)

    def up(self, name: str) -> None:
        """Start a store, and wait until it answers. A killed one may need a moment to let go of its memory."""
        end = time.monotonic() + 60
        while True:
            try:
                service, log = self.service(name), self.home / "log" / f"{name}.log"
                self.processes[name] = start(service, log)
                await_ready(service, self.processes[name], log)
                return
            except StartFailed:
                if time.monotonic() > end:
                    raise
                time.sleep(0.3)

    def kill(self, name: str) -> None:
        """kill -9 of a store."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes[name].wait()

    def is_up(self, name: str) -> bool:
        return name in self.processes and self.processes[name].poll() is None

    def prepare(self) -> None:
        """Stores and tables, and this process's Django on them."""
        self.up("postgres")
        self.up("valkey")
        self.postgres.create_database()
        for name in [name for name in os.environ if name.startswith("RELMAN_") or name.endswith("_KEY_FILE")]:
            del os.environ[name]
        os.environ.update({**self.variables, "RELMAN_LEASE": "60"})
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        call_command("application_role", APPLICATION, stdout=io.StringIO())

    def worker(self, more: Mapping[str, str] | None = None, *, children: int = 2) -> Worker:
        """Start one more worker; it has trapdoors (see `tests.faults.worker`)."""
        self.started += 1
        name = f"w{self.started}"
        options = ["--pool", "prefork", "--concurrency", str(children), "--prefetch-multiplier", "1"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO", "-n", name]
        command = [sys.executable, "-m", "celery", "-A", "tests.faults.worker", "worker", *options, *quiet]
        log = self.home / "log" / f"{name}.log"
        begin = log.stat().st_size if log.exists() else 0
        process = self._start(command, log, more or {})
        one = Worker(name, process, log, begin)
        self.workers.append(one)
        return one

    def serve(self, more: Mapping[str, str] | None = None) -> int:
        """Start the web process, in the place of the one before: two on one port, and nobody knows who answers."""
        self.unserve()
        self.port = free_port()
        command = [sys.executable, "-m", "uvicorn", "relman.asgi:application", "--port", str(self.port)]
        log = self.home / "log" / "web.log"
        self.web = self._start(
            [*command, "--log-level", "warning"], log, {"RELMAN_PORT": str(self.port), **(more or {})}
        )
        listening(self.web, self.port, log, 180)
        return self.port

    def unserve(self) -> None:
        """Kill the web process, if there is one."""
        if self.web:
            self.web.kill()
            self.web.wait()
        self.web = None

    def _start(self, command: list[str], log: Path, more: Mapping[str, str]) -> subprocess.Popen[bytes]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RELMAN_", "FAULTS_"))}
        with log.open("ab") as output:
            return subprocess.Popen(
                tied(command, signal.SIGKILL),
                cwd=ROOT,
                env={**inherited, **self.variables, "DATABASE_URL": self.postgres.application_url, **more},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def alive(self) -> list[Worker]:
        """The workers that run (or are stopped); the dead are forgotten."""
        self.workers = [one for one in self.workers if one.process.poll() is None]
        return self.workers

    def arm(self, point: str, sign: str = "KILL") -> bool:
        """Open a trapdoor: whoever comes by falls, once. False: one is open there already."""
        path = self.points / point
        if path.exists():
            return False
        beside = self.points / f".{point}.new"
        beside.write_text(sign)
        beside.rename(path)
        return True

    def disarm(self) -> None:
        """Close all trapdoors that nobody fell into."""
        for path in self.points.iterdir():
            if not path.name.startswith("."):
                path.unlink(missing_ok=True)

    def fallen(self) -> list[dict[str, Any]]:
        """Who fell where: point, pid, promotion, at (seconds since 1970), sign."""
        path = self.points / ".fallen"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def close(self) -> None:
        """Kill everything and forget it."""
        for one in self.alive():
            one.kill()
        self.unserve()
        for name in ("valkey", "postgres"):
            if self.is_up(name):
                stop(self.service(name), self.processes[name])
        shutil.rmtree(self.home, ignore_errors=True)
