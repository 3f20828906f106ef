"""The database and the broker that come from wheels: they start anywhere, and die with whoever started them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from relman.embedded import binaries, folders
from relman.embedded.place import claim_ports, held, here
from relman.embedded.postgres import NAMESPACE, OTHER_USER, Postgres
from relman.embedded.process import Service, StartFailed, await_ready, start, stop
from relman.embedded.valkey import Valkey
from tests.installation import started
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


@contextlib.contextmanager
def running(service: Service, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    log = home / "log" / "test.log"
    process = start(service, log)
    try:
        await_ready(service, process, log)
        yield process
    finally:
        stop(service, process)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def select(postgres: Postgres, query: str) -> object:
    with psycopg.connect(host=str(postgres.sockets), user="relman", dbname="relman") as connection:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A data directory below a folder that only its owner may enter."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    folders.prepare(private / "data")
    yield private / "data"
    folders.leave(private / "data")


def test_postgres_starts_below_a_private_home_and_keeps_what_was_written(home: Path) -> None:
    postgres = Postgres(home / "postgres", folders.run(home), durable=False)
    with running(postgres.service(), home):
        postgres.create_database()
        postgres.create_database()
        assert select(postgres, "select count(*) from pg_largeobject_metadata") == 0
        select(postgres, "select lo_create(0)")
    with running(postgres.service(), home):
        assert select(postgres, "select count(*) from pg_largeobject_metadata") == 1
    assert (home / "postgres").stat().st_mode & 0o077 == 0


@as_root
@pytest.mark.parametrize("prefix", [NAMESPACE, OTHER_USER], ids=["namespace", "other user"])
def test_as_root_postgres_runs_with_and_without_user_namespaces(
    home: Path, prefix: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Postgres, "_prefix", lambda self: prefix)
    postgres = Postgres(home / "postgres", folders.run(home), durable=False)
    with running(postgres.service(), home) as process:
        postgres.create_database()
        assert select(postgres, "select 1") == 1
        assert (process.pid != os.getpid()) and alive(process.pid)


@as_root
def test_a_cluster_moves_between_the_two_ways_of_running_as_root(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for prefix in (OTHER_USER, NAMESPACE, OTHER_USER):
        monkeypatch.setattr(Postgres, "_prefix", lambda self, prefix=prefix: prefix)
        postgres = Postgres(home / "postgres", folders.run(home), durable=False)
        with running(postgres.service(), home):
            postgres.create_database()
            assert select(postgres, "select 1") == 1


def test_long_paths_get_a_short_private_folder_for_sockets(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    folders.prepare(home)
    sockets = folders.run(home)
    try:
        assert sockets != home / "run"
        assert sockets == folders.run(home)
        assert sockets.stat().st_mode & 0o077 == 0
        postgres = Postgres(home / "postgres", sockets, durable=False)
        with running(postgres.service(), home):
            postgres.create_database()
            assert select(postgres, "select 1") == 1
    finally:
        folders.leave(home)
    assert not sockets.exists()


def test_a_folder_for_sockets_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 30)
    folders.prepare(home)
    sockets = folders.run(home)
    try:
        sockets.chmod(0o777)
        with pytest.raises(PermissionError, match="belongs to somebody else"):
            folders.run(home)
    finally:
        sockets.rmdir()


def test_a_second_server_on_the_same_files_is_refused(home: Path) -> None:
    postgres = Postgres(home / "postgres", folders.run(home), durable=False)
    with running(postgres.service(), home), pytest.raises(StartFailed, match="already running on"):
        start(postgres.service(), home / "log" / "second.log")


def test_a_dead_servers_lock_file_does_not_stop_the_next_one(home: Path) -> None:
    postgres = Postgres(home / "postgres", folders.run(home), durable=False)
    service = postgres.service()
    (home / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{home / 'postgres'}\n")
    with running(service, home):
        assert alive(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))


def test_files_of_another_version_are_refused_in_a_sentence(home: Path) -> None:
    postgres = Postgres(home / "postgres", folders.run(home), durable=False)
    postgres.service()
    (home / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(StartFailed, match=r"was written by PostgreSQL 9.*RELMAN_PG_BINDIR"):
        postgres.service()


def test_valkey_keeps_messages_over_a_kill(home: Path) -> None:
    valkey = Valkey(home / "valkey", folders.run(home))
    with running(valkey.service(), home) as process:
        assert valkey.ask("LPUSH queue message") == b":1\r\n"
        assert until(lambda: b"aof_pending_bio_fsync:0" in valkey.ask("INFO persistence"))
        process.kill()
        process.wait()
    with running(valkey.service(), home):
        assert valkey.ask("LLEN queue") == b":1\r\n"


def test_a_killed_parent_leaves_neither_server(tmp_path: Path) -> None:
    script = "import time, sys; print(sys.argv[0], flush=True); time.sleep(600)"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "relman.embedded", sys.executable, "-c", script]
    with started(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        servers = children(parent.pid)
        assert {name for name, _ in servers} >= {"postgres", "valkey-server"}
    for name, pid in servers:
        if name == "python" or name.startswith("python"):
            os.kill(pid, signal.SIGKILL)
    assert until(lambda: not any(alive(pid) for _, pid in servers))


def children(parent: int) -> list[tuple[str, int]]:
    """Names and numbers of a process's children."""
    pids = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [(Path(f"/proc/{pid}/comm").read_text().strip(), int(pid)) for pid in pids]


def test_keys_are_made_once_and_belong_to_their_owner_alone(home: Path) -> None:
    first = folders.key(home, "secrets").read_text()
    assert folders.key(home, "secrets").read_text() == first
    assert folders.key(home, "secrets").stat().st_mode & 0o777 == 0o600
    assert folders.key(home, "session").read_text() != first


def test_a_busy_port_is_one_sentence_that_names_it(tmp_path: Path) -> None:
    with socket.socket() as taken, socket.socket() as free:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free.bind(("127.0.0.1", 0))
        port, other = taken.getsockname()[1], free.getsockname()[1]
        free.close()
        names = {"RELMAN_HOME": str(tmp_path), "RELMAN_PORT": str(port), "RELMAN_GATEWAY_PORT": str(other)}
        with pytest.raises(StartFailed, match=rf"Port {port} .* or set RELMAN_PORT\."):
            claim_ports(here(names))


@pytest.mark.parametrize("wrong", ["eighty", "0", "70000", "-1"])
def test_a_port_that_is_none_is_refused(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match=r"RELMAN_GATEWAY_PORT is .* no port"):
        here({"RELMAN_HOME": str(tmp_path), "RELMAN_GATEWAY_PORT": wrong})


def test_one_port_for_both_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="are both 8080"):
        here({"RELMAN_HOME": str(tmp_path), "RELMAN_PORT": "8080"})


def test_one_data_directory_runs_once(home: Path) -> None:
    with held(home), pytest.raises(StartFailed, match="already running from"), held(home):
        pass


def test_programs_can_be_replaced_and_a_wrong_one_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable, find in (("RELMAN_VALKEY_BIN", binaries.valkey), ("RELMAN_CADDY_BIN", binaries.caddy)):
        assert os.access(find(), os.X_OK)
        monkeypatch.setenv(variable, str(tmp_path / "nothing"))
        with pytest.raises(binaries.Missing, match=f"nothing cannot be executed: set {variable}"):
            find()
    monkeypatch.setenv("RELMAN_PG_BINDIR", str(tmp_path))
    with pytest.raises(binaries.Missing, match="RELMAN_PG_BINDIR"):
        binaries.postgres()
