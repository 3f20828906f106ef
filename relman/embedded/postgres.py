"""A PostgreSQL of our own: it listens on a socket only, and lives as long as whoever started it.

PostgreSQL refuses to run as root. There it gets a user namespace in which it is nobody special and its files
look like its own; where namespaces are forbidden, the user nobody and the right to reach its folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from . import binaries
from .process import SYSTEM_PATH, Service, StartFailed, tied

PORT = 5432
"""Only the name of the socket; no network port is opened."""
USER = DATABASE = "relman"
APPLICATION = "relman_app"
"""The role of web and workers; `USER` owns the tables, and migrates."""
NOBODY = 65534
"""The user number that root takes: initdb wants one that has a name, and every system names this one."""
NAMESPACE = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
NAMESPACE += ["setpriv", "--pdeathsig", "INT", "--"]
REACH = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
OTHER_USER = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *REACH]
OTHER_USER += ["--pdeathsig", "INT", "--"]
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "log_checkpoints": "off",
}
HASTY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """One cluster in `data`, its socket in `sockets`. `durable=False` is for tests: fast, and lost in a power cut."""

    def __init__(
        self, data: Path, sockets: Path, *, durable: bool = True, environment: Mapping[str, str] | None = None
    ) -> None:
        self.data, self.sockets, self.durable = data.resolve(), sockets.resolve(), durable
        self.bin = binaries.postgres()
        self.environment = {"PATH": SYSTEM_PATH, "LC_ALL": "C", **(environment or {})}

    @property
    def url(self) -> str:
        """What DATABASE_URL holds for who owns the tables: the socket folder stands percent-encoded as host."""
        return self._url(USER)

    @property
    def application_url(self) -> str:
        """The same for web and workers, who cannot rewrite the record. Their role is there once `prepare` has run."""
        return self._url(APPLICATION)

    def _url(self, user: str) -> str:
        return f"postgres://{user}@{quote(str(self.sockets), safe='')}:{PORT}/{DATABASE}"

    def service(self) -> Service:
        """Make the cluster on first use, clear what a crash left, and say how to start it. StartFailed: a sentence."""
        self._own()
        if not (self.data / "PG_VERSION").exists():
            self._create()
        self._check_version()
        settings = SETTINGS if self.durable else {**SETTINGS, **HASTY}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        server = [str(self.bin / "postgres"), "-D", str(self.data), "-k", str(self.sockets), "-p", str(PORT), *options]
        return Service(
            "PostgreSQL",
            [*self._prefix(), *server],
            ready=self._ready,
            stop=signal.SIGINT,
            orphaned=signal.SIGINT,
            environment=self.environment,
            prepare=self._forget_dead,
        )

    def create_database(self) -> None:
        """The database `relman`, unless it is there. The server must be ready."""
        there = self._client("psql", "-d", "postgres", "-Atc", "select datname from pg_database")
        if DATABASE in there.stdout.split():
            return
        done = self._client("createdb", DATABASE)
        if done.returncode:
            raise StartFailed(f"PostgreSQL could not create the database {DATABASE}: {done.stderr.strip()}")

    def running(self) -> bool:
        """Whether its server answers."""
        return self._ready()

    def _ready(self) -> bool:
        return self._client("pg_isready", "-q").returncode == 0

    def _client(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        where = ["-h", str(self.sockets), "-p", str(PORT), "-U", USER]
        command = [str(self.bin / program), *where, *words]
        return subprocess.run(command, capture_output=True, text=True, env=self.environment, check=False)

    def _create(self) -> None:
        """Into a folder beside, then renamed: a killed start leaves no half cluster."""
        fresh = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._give(fresh)
        options = ["-D", str(fresh), "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-instructions"]
        if not self.durable:
            options.append("--no-sync")
        for locale in ("C.UTF-8", "C"):
            command = [*self._prefix(), str(self.bin / "initdb"), *options, f"--locale={locale}"]
            done = subprocess.run(command, capture_output=True, text=True, env=self.environment, check=False)
            if done.returncode == 0:
                self.data.rmdir()
                fresh.rename(self.data)
                return
        raise StartFailed(f"PostgreSQL could not make its files in {fresh}: {(done.stderr or done.stdout).strip()}")

    def _check_version(self) -> None:
        written = (self.data / "PG_VERSION").read_text().strip()
        done = subprocess.run([str(self.bin / "postgres"), "-V"], capture_output=True, text=True, check=True)
        installed = done.stdout.split()[2].split(".")[0]
        if written != installed:
            raise StartFailed(
                f"The data in {self.data} was written by PostgreSQL {written}, and {self.bin} holds {installed}: "
                "set RELMAN_PG_BINDIR to the programs of the older one, or choose another RELMAN_HOME."
            )

    def _forget_dead(self) -> None:
        """Remove a dead server's lock file: after a reboot its number may be another process's. Refuse a living one."""
        lock = self.data / "postmaster.pid"
        if lock.exists():
            pid = lock.read_text().split()[0]
            if _works_in(pid, self.data):
                raise StartFailed(f"A PostgreSQL (process {pid}) is already running on {self.data}: stop it first.")
            lock.unlink()

    def _own(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)
        self._give(self.data)

    def _give(self, folder: Path) -> None:
        """As root: the files belong to the user that the server runs as."""
        if os.geteuid() != 0:
            return
        owner = NOBODY if self._prefix() == OTHER_USER else 0
        if folder.stat().st_uid != owner:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, owner, owner, follow_symlinks=False)

    def _prefix(self) -> list[str]:
        """What stands before the server's command: see the top of this file."""
        if os.geteuid() != 0:
            return tied([], signal.SIGINT)
        return NAMESPACE if self._works(NAMESPACE) else OTHER_USER

    def _works(self, prefix: Sequence[str]) -> bool:
        script = '"$0" -V && test -w "$1"'
        command = [*prefix, "sh", "-c", script, str(self.bin / "postgres"), str(self.data.parent)]
        return subprocess.run(command, capture_output=True, env=self.environment, check=False).returncode == 0


def _works_in(pid: str, folder: Path) -> bool:
    """Whether that process has this working directory, as a running server has its data."""
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd")) == folder
    except OSError:
        return False
