"""The installation's supervisord: its configuration, starting and stopping it, and talking to it.

Each instance is one file in `programs/` (the record of what shall run) and one
process group in the supervisor. It is told over its unix socket, so the others
run on undisturbed.
"""

from __future__ import annotations

import http.client
import json
import re
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phases.drivers.base import Transient
from phases.drivers.ledger import file_lock, write_synced
from phases.drivers.local import processes
from phases.drivers.local.layout import SYSTEM_PATH, Layout, is_root

HERE = Path(__file__).resolve().parent
BAD_NAME, NOT_RUNNING, ALREADY_ADDED, ALREADY_STARTED, STILL_RUNNING = 10, 70, 90, 60, 91
PATIENCE = 5.0
"""Seconds for one answer of the supervisor, and for whoever keeps it to start it again."""
START_PATIENCE = 30.0
"""Seconds for it to start when it is started here: a busy machine may need more than a few."""
STOP_WAIT = 10
"""Seconds that a program has to end after SIGTERM."""
ENDED = ("STOPPED", "EXITED", "FATAL", "BACKOFF", "UNKNOWN")


class _Absent(Transient):
    """Nobody listens at the supervisor's socket."""


@dataclass(frozen=True)
class Program:
    """What the supervisor says about one program."""

    state: str
    pid: int
    exit_status: int


class Supervisor:
    """One installation's supervisor, running or not."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def argv(self) -> list[str]:
        """The command that runs it in the foreground; the configuration is written first."""
        self._configure()
        return [sys.executable, "-I", str(HERE / "supervisord.py"), str(self.layout.home)]

    def is_running(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self._call("getState")["statename"] == "RUNNING")
        except Transient:
            return False

    def ensure(self) -> None:
        """Start it in the background unless it runs. Raises Transient when it does not come up.

        One that was started in the foreground has somebody who starts it again: wait for that first."""
        if self.is_running():
            return
        deadline = time.monotonic() + PATIENCE
        if _is_kept(self.layout):
            with suppress(Transient):
                return self._await(deadline)
        self._spawn()
        self._await(time.monotonic() + START_PATIENCE)

    def stop(self, grace: float = STOP_WAIT + 5) -> None:
        """Stop it with everything it runs, and whatever an earlier one left running."""
        pid = _pid(self.layout)
        with suppress(Transient, xmlrpc.client.Fault):
            self._call("shutdown")
        deadline = time.monotonic() + grace
        while pid and processes.identify(pid) and self._answers() and time.monotonic() < deadline:
            time.sleep(0.05)
        processes.end_all_recorded(str(self.layout.control), 1.0)

    def start(self, name: str, record: Path) -> None:
        """Put a program on record and start it; nothing happens when it runs already."""
        with self._locked():
            write_synced(self.layout.programs / f"{name}.conf", _program(name, record))
            self._call("reloadConfig")
            if self._call("addProcessGroup", name, faults=(ALREADY_ADDED,)) is None:
                self._call("startProcess", name, False, faults=(ALREADY_STARTED,))

    def remove(self, name: str, run: Path, tick: Callable[[], None] = lambda: None) -> None:
        """Take a program off the record, stop it, and make sure that nobody of its group is left."""
        (self.layout.programs / f"{name}.conf").unlink(missing_ok=True)
        with suppress(_Absent):
            self._call("stopProcess", name, False, faults=(BAD_NAME, NOT_RUNNING))
            deadline = time.monotonic() + STOP_WAIT + 3
            while self._state(name) not in ENDED and time.monotonic() < deadline:
                tick()
                time.sleep(0.05)
            with self._locked():
                self._call("removeProcessGroup", name, faults=(BAD_NAME, STILL_RUNNING))
        processes.end_recorded(str(run), 1.0)

    def programs(self) -> Mapping[str, Program]:
        """All programs that it runs, by name. Raises Transient when it does not answer."""
        return {
            one["name"]: Program(one["statename"], one["pid"], one["exitstatus"])
            for one in self._call("getAllProcessInfo")
        }

    def _answers(self) -> bool:
        with suppress(Transient):
            self._call("getPID")
            return True
        return False

    def _state(self, name: str) -> str:
        found = self._call("getProcessInfo", name, faults=(BAD_NAME,))
        return str(found["statename"]) if found else "STOPPED"

    def _locked(self) -> Any:
        return file_lock(self.layout.control / "supervisor.lock")

    def _call(self, method: str, *arguments: Any, faults: tuple[int, ...] = ()) -> Any:
        """One question; None for a fault that is expected. Raises Transient when there is no answer."""
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=_Transport(str(self.layout.socket)))
        try:
            with proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode in faults:
                return None
            raise Transient(f"The process supervisor refused {method}: {fault.faultString}.") from None
        except (FileNotFoundError, ConnectionRefusedError):
            raise _Absent("The process supervisor is not running.") from None
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise Transient(f"The process supervisor does not answer ({type(error).__name__}).") from None

    def _spawn(self) -> None:
        """Start it as nobody's child: whoever needs it first may end long before it does."""
        environment, command = {"PATH": ":".join(SYSTEM_PATH), "LANG": "C.UTF-8"}, [*self.argv(), "--try"]
        with (self.layout.control / "supervisord.out").open("ab") as output:
            subprocess.run(
                ["/bin/sh", "-c", '"$@" &', "start", *command],
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                check=True,
            )

    def _await(self, deadline: float) -> None:
        while not self.is_running():
            if time.monotonic() > deadline:
                raise Transient(f"The process supervisor did not start; see {self.layout.control}/supervisord.out.")
            time.sleep(0.02)

    def _configure(self) -> None:
        self.layout.prepare()
        control = self.layout.control
        if re.search(r"\s[;#]|[\n\[\]*?]", str(control)):
            raise Transient(f"The process supervisor cannot work in a folder named like {control}.")
        keeper = shlex.join([sys.executable, "-I", "-S", str(HERE / "keeper.py"), str(control)])
        text = _CONFIGURATION.format(
            socket=_plain(self.layout.socket),
            control=_plain(control),
            user="user=root" if is_root() else "",
            keeper=_plain(keeper),
        )
        write_synced(control / "supervisord.conf", text)


_CONFIGURATION = """\
[unix_http_server]
file={socket}
chmod=0600

[supervisord]
nodaemon=true
{user}
logfile={control}/supervisord.log
logfile_maxbytes=5MB
logfile_backups=1
pidfile={control}/supervisord.real.pid
childlogdir={control}
nocleanup=true

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[eventlistener:keeper]
command={keeper}
events=TICK_5
autorestart=true
startretries=1000000
stderr_logfile=NONE

[include]
files = programs/*.conf
"""

_PROGRAM = """\
[program:{name}]
command={command}
directory=/
autostart=true
autorestart=true
startsecs=1
startretries=1000000
stopsignal=TERM
stopwaitsecs={wait}
stopasgroup=true
killasgroup=true
stdout_logfile=NONE
stderr_logfile=NONE
"""


def _program(name: str, record: Path) -> str:
    command = shlex.join([sys.executable, "-I", "-S", str(HERE / "launcher.py"), str(record)])
    return _PROGRAM.format(name=name, command=_plain(command), wait=STOP_WAIT)


def _plain(value: object) -> str:
    """A value that supervisor's configuration does not expand."""
    return str(value).replace("%", "%%")


def _is_kept(layout: Layout) -> bool:
    """Whether whoever started the supervisor in the foreground still lives."""
    with suppress(OSError, ValueError):
        return processes.is_alive(json.loads((layout.control / "kept-by").read_text()))
    return False


def _pid(layout: Layout) -> int:
    with suppress(OSError, ValueError):
        return int((layout.control / "supervisord.pid").read_text())
    return 0


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _Connection(self._path)
        self._connection = (host, connection)  # where `close` looks for it
        return connection
