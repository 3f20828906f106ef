"""Everything on one machine: PostgreSQL, Valkey, deployed applications, web, worker and gateway, kept running.

It brings its own database and broker and ignores DATABASE_URL and BROKER_URL: whoever has those runs the web and
worker processes on their own.
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from . import folders
from .binaries import Missing
from .place import CHECKOUT, LOOPBACK, Place, claim_ports, held, here
from .postgres import APPLICATION, Postgres
from .process import Service, StartFailed, tied
from .supervisor import Interrupted, Supervisor
from .valkey import Valkey

Parts = Callable[[Place, Mapping[str, str]], Sequence[Service]]
"""Services that other rooms add, given the place and the environment of RelMan's processes."""


def main(applications: Parts, gateway: Parts, say: Callable[[str], None]) -> int:
    """Start everything and stay until Ctrl-C or SIGTERM. Returns the exit code; what fails is said in a sentence."""
    try:
        place = here()
        with held(place.home):
            claim_ports(place)
            _not_ready(place)
            return _run(place, applications, gateway, say)
    except (Missing, StartFailed, OSError) as problem:
        say(f"RelMan does not start: {problem}")
        return 1
    except KeyboardInterrupt:
        return 0


def _run(place: Place, applications: Parts, gateway: Parts, say: Callable[[str], None]) -> int:
    supervisor = Supervisor(place.home, place.names, say)
    try:
        _start(supervisor, place, applications, gateway)
        say(_welcome(place))
        supervisor.keep()
    except Interrupted:
        say("Stopping.")
    finally:
        _not_ready(place)
        supervisor.stop()
        folders.leave(place.home)
    return 0


def _not_ready(place: Place) -> None:
    """Whoever waits for the accounts waits for all to be ready: they are gone from the moment it stops, so that the
    next start, which needs a second before it looks, is not taken for one that is done."""
    (place.home / "demo-accounts.json").unlink(missing_ok=True)


def _start(supervisor: Supervisor, place: Place, applications: Parts, gateway: Parts) -> None:
    """In order, each ready before the next: stores, tables, deployed applications, RelMan itself, the demo."""
    sockets = folders.run(place.home)
    postgres = Postgres(place.home / "postgres", sockets, environment=place.names)
    valkey = Valkey(place.home / "valkey", sockets, environment=place.names)
    supervisor.batch(postgres.service(), valkey.service())
    postgres.create_database()
    owner = place.environment(postgres.url, valkey.url)
    supervisor.once("prepare", manage("prepare"), {**owner, "RELMAN_DATABASE_ROLE": APPLICATION})
    environment = place.environment(postgres.application_url, valkey.url)
    supervisor.batch(*applications(place, environment))
    supervisor.batch(web(place, environment), worker(valkey, environment), *gateway(place, environment))
    if place.demo:
        supervisor.once("demo", manage("demo"), environment, shown=True)


def manage(*words: str) -> list[str]:
    """One of RelMan's commands in a process of its own."""
    return [sys.executable, str(CHECKOUT / "manage.py"), *words]


def web(place: Place, environment: Mapping[str, str]) -> Service:
    """Pages, API and event streams."""
    options = ["--host", LOOPBACK, "--port", str(place.port), "--timeout-graceful-shutdown", "3"]
    # Browsers reach it directly, so nobody may tell it another address to come from.
    plain = ["--no-proxy-headers", "--no-server-header", "--no-access-log", "--ws", "none"]
    command = [sys.executable, "-m", "uvicorn", "relman.asgi:application", *options, *plain]
    return Service(
        "web",
        tied(command, signal.SIGKILL),
        ready=lambda: answers(place.port),
        environment=environment,
        cwd=CHECKOUT,
    )


def worker(broker: Valkey, environment: Mapping[str, str]) -> Service:
    """Moves promotions. Ready once it waits at the broker for the first ring."""
    options = ["--pool", "prefork", "--concurrency", "2", "--prefetch-multiplier", "1", "--loglevel", "INFO"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    command = [sys.executable, "-m", "celery", "-A", "relman", "worker", *options, *quiet]
    return Service(
        "worker",
        tied(command, signal.SIGKILL),
        ready=lambda: b"cmd=brpop" in broker.ask("CLIENT LIST"),
        grace=20,
        environment=environment,
        cwd=CHECKOUT,
    )


def answers(port: int) -> bool:
    """Whether something on that port of this machine answers a request."""
    try:
        with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=5)) as connection:
            connection.request("GET", "/", headers={"Host": "localhost"})
            return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False


def listens(port: int) -> bool:
    """Whether something on that port of this machine accepts connections."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=2).close()
    except OSError:
        return False
    return True


def _welcome(place: Place) -> str:
    lines = [
        "",
        f"RelMan is ready at http://localhost:{place.port}/",
        f"Deployed applications answer at http://<application>.<phase>.localhost:{place.gateway_port}/",
        f"Data and logs are in {place.home}. Ctrl-C stops everything.",
    ]
    accounts = place.home / "demo-accounts.json"
    if place.demo and accounts.exists():
        rows = json.loads(accounts.read_text())
        lines += ["", "Accounts of the demo (user, password):"]
        lines += [f"  {row['username']:<18}{row['password']}" for row in rows]
    return "\n".join([*lines, ""])
