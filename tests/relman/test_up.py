"""`manage.py up` as a person meets it: real processes, killed for real."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psycopg
import pytest

from phases.drivers.local.layout import Layout
from phases.drivers.local.supervisor import Supervisor
from relman.embedded import folders
from relman.embedded.postgres import APPLICATION, Postgres
from tests.installation import ROOT, Installation, free_ports, started, wait_until

SERVICES = {"postgres", "valkey-server", "supervisord.py", "uvicorn", "celery", "caddy"}
pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("up"), pytest.mark.timeout(600)]


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    place = Installation(tmp_path / "relman", *free_ports())
    yield place
    if place.process is not None and place.process.poll() is None:
        place.end(signal.SIGKILL)
        wait_until(lambda: not place.processes(), 60)


def serves(installation: Installation) -> bool:
    """Web and gateway accept connections."""
    for port in (installation.port, installation.gateway_port):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
        except OSError:
            return False
    return True


def replaced(installation: Installation, word: str, before: int) -> bool:
    """Whether another process does what this one did."""
    return bool(installation.mains(word) - {before})


def disjoint(installation: Installation, pids: list[int]) -> bool:
    """Whether none of these processes is left."""
    return not set(pids) & set(installation.processes())


def nothing_left(installation: Installation) -> bool:
    """Whether all processes are gone: those that got a SIGKILL at the end may take a moment to die."""
    return wait_until(lambda: not installation.processes(), 60) is not None


def test_everything_is_kept_running_and_ctrl_c_leaves_nothing(installation: Installation) -> None:
    with started(["sleep", "600"]) as bystander:
        installation.start()
        assert serves(installation)
        for word in sorted(SERVICES):
            (before,) = installation.mains(word)
            family = [pid for pid, command in installation.processes().items() if word in command]
            os.kill(before, signal.SIGKILL)
            took = wait_until(partial(replaced, installation, word, before), 60)
            assert took is not None, f"{word} did not come back:\n{installation.said()}"
            # They have their SIGKILL; on a busy machine it takes a moment until they are gone.
            gone = wait_until(partial(disjoint, installation, family), 60)
            assert gone is not None, f"{word} left something behind"
        assert wait_until(lambda: serves(installation), 60) is not None
        assert installation.end(signal.SIGINT) == 0
        assert nothing_left(installation)
        assert "Stopping." in installation.said()
        assert bystander.poll() is None
    bystander.wait()


def cannot_rewrite_the_record(installation: Installation) -> bool:
    """Whether web and workers sign in as a role that may not touch what refuses changes of the record."""
    postgres = Postgres(installation.home / "postgres", folders.run(installation.home))
    users = "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = 'relman' AND pid <> pg_backend_pid()"
    users += " AND backend_type = 'client backend'"  # the server looks after its tables by itself
    with psycopg.connect(postgres.url, autocommit=True) as owner:
        assert wait_until(lambda: owner.execute(users).fetchall() == [(APPLICATION,)], 60) is not None
    with psycopg.connect(postgres.application_url) as role:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            role.execute("ALTER TABLE audit_event DISABLE TRIGGER ALL")
        return True


def sockets(installation: Installation) -> set[str]:
    """The numbers of all sockets of its processes; what is closed while one looks is none."""
    found = set()
    for pid in installation.processes():
        with suppress(OSError):
            for handle in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    name = os.readlink(f"/proc/{pid}/fd/{handle}")
                    found.update([name[8:-1]] if name.startswith("socket:[") else [])
    return found


def listening(installation: Installation) -> set[tuple[str, int]]:
    """Address, as the kernel writes it, and port of everything that listens."""
    inodes = sockets(installation)
    return {
        (row[1].split(":")[0], int(row[1].split(":")[1], 16))
        for table in ("tcp", "tcp6")
        for row in (line.split() for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:])
        if row[3] == "0A" and row[9] in inodes
    }


def test_it_listens_on_the_loopback_address_and_sigterm_leaves_nothing_but_its_data(installation: Installation) -> None:
    installation.start()
    assert listening(installation) == {("0100007F", installation.port), ("0100007F", installation.gateway_port)}
    assert cannot_rewrite_the_record(installation)
    keys = {path.name: path.read_bytes() for path in (installation.home / "keys").iterdir()}
    assert {"session", "secrets"} <= set(keys)
    accounts = installation.home / "demo-accounts.json"
    accounts.write_text("[]")  # as the demo leaves it when all is ready
    assert installation.end(signal.SIGTERM) == 0
    assert not accounts.exists(), "whoever waits for it at the next start would take the old one for ready"
    assert nothing_left(installation)
    assert not serves(installation)
    installation.start()
    assert {path.name: path.read_bytes() for path in (installation.home / "keys").iterdir()} == keys
    assert installation.end(signal.SIGTERM) == 0


def test_kill_of_up_itself_leaves_nothing_and_the_next_start_is_clean(installation: Installation) -> None:
    installation.start()
    assert len(installation.processes()) >= len(SERVICES)
    installation.end(signal.SIGKILL)
    assert wait_until(lambda: not installation.processes(), 60) is not None, installation.processes()
    installation.start()
    assert serves(installation)
    installation.end(signal.SIGKILL)
    installation.start()  # at once, while what was left is still ending
    assert installation.end(signal.SIGTERM) == 0


def deploy(installation: Installation) -> int:
    """A deployed process, as the local driver starts one; its number."""
    layout = Layout(installation.home)
    folder = layout.control / "1" / "instances"
    folder.mkdir(parents=True)
    record = folder / "instance.json"
    what = {"command": "exec sleep 600", "folder": "/", "environment": {}, "port": free_ports()[0]}
    record.write_text(json.dumps({**what, "log": str(installation.home / "log" / "deployed.log")}))
    supervisor = Supervisor(layout)
    supervisor.start("instance", record)
    assert wait_until(lambda: supervisor.programs()["instance"].state == "RUNNING", 60) is not None
    return supervisor.programs()["instance"].pid


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL], ids=["asked", "killed"])
def test_deployed_applications_end_with_up_but_outlive_their_supervisor(
    installation: Installation, sign: signal.Signals
) -> None:
    installation.start()
    deployed = Path(f"/proc/{deploy(installation)}/cmdline")
    assert "sleep" in deployed.read_text()
    (supervisor,) = installation.mains("supervisord.py")
    os.kill(supervisor, signal.SIGKILL)
    assert wait_until(lambda: bool(installation.mains("supervisord.py") - {supervisor}), 60) is not None
    time.sleep(1)
    assert "sleep" in deployed.read_text()
    installation.end(sign)
    assert wait_until(lambda: not deployed.exists() and not installation.processes(), 60) is not None


def test_two_run_side_by_side_but_not_in_one_place(installation: Installation, tmp_path: Path) -> None:
    other = Installation(tmp_path / "other", *free_ports())
    installation.start()
    try:
        other.start()
        assert serves(installation)
        assert serves(other)
        same_place = refused(Installation(installation.home, *free_ports()))
        assert f"RelMan is already running from {installation.home}. Stop that one first" in same_place
        third = Installation(tmp_path / "third", installation.port, free_ports()[0])
        assert f"Port {installation.port} on 127.0.0.1 cannot be used" in refused(third)
    finally:
        other.end(signal.SIGTERM)
    assert nothing_left(other)
    assert serves(installation)
    assert installation.end(signal.SIGTERM) == 0


def refused(installation: Installation) -> str:
    """What `up` says when it does not start."""
    command = [sys.executable, "manage.py", "up"]
    done = subprocess.run(
        command, cwd=ROOT, env=installation.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert not done.stderr
    return done.stdout.strip()
