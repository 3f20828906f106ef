"""For whoever starts and stops a whole installation: the process supervisor and all that it runs."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from phases.drivers.local.layout import Layout
from phases.drivers.local.supervisor import Supervisor


def supervisor_argv(home: Path) -> list[str]:
    """The command of the process supervisor, for the foreground. SIGTERM stops it with all its programs.

    A second one waits until the first is gone, so it can be restarted at any time."""
    return Supervisor(Layout(home.resolve())).argv()


def supervisor_is_running(home: Path) -> bool:
    """Whether the process supervisor of this installation answers."""
    return Supervisor(Layout(home.resolve())).is_running()


def ensure_supervisor(home: Path) -> None:
    """Start the process supervisor in the background unless it runs. Raises Transient."""
    Supervisor(Layout(home.resolve())).ensure()


def stop_supervisor(home: Path) -> None:
    """Stop the process supervisor, all deployed applications, and what a killed supervisor left running."""
    Supervisor(Layout(home.resolve())).stop()


def forget(home: Path) -> None:
    """Stop everything and delete all deployed releases and their data."""
    layout = Layout(home.resolve())
    if not layout.control.exists():
        return
    stop_supervisor(home)
    for folder in layout.targets().glob("e*"):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (layout.targets(), layout.socket.parent):
        with suppress(OSError):
            folder.rmdir()
    shutil.rmtree(home / "targets", ignore_errors=True)
