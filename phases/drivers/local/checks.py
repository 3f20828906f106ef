"""Whether an environment could be deployed to now, and how well its applications are kept apart."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phases.drivers.base import DriverError, Finding, Target
from phases.drivers.local.layout import Layout, Place, application_path
from phases.drivers.local.supervisor import Supervisor

LEAST_FREE = 256 * 1024 * 1024
PRIVATE = ("keys", "artifacts", "postgres", "valkey", "run", "log", "gateway", "demo-accounts.json", "targets/control")
"""What an application must not be able to read, below RELMAN_HOME."""


def check(target: Target, layout: Layout, supervisor: Supervisor) -> Sequence[Finding]:
    """All findings; those that only warn are ok, with a sentence that says so."""
    try:
        place = layout.make_place(target.environment)
    except (DriverError, OSError) as error:
        return [Finding("place", False, f"The folders of this environment cannot be made: {error}")]
    user = layout.user(target.environment)
    return [_supervisor(supervisor), _disk(place), _shell(), _python(user), _isolation(layout, place, user)]


def _supervisor(supervisor: Supervisor) -> Finding:
    if not supervisor.is_running():
        try:
            supervisor.ensure()
        except DriverError as error:
            return Finding("supervisor", False, f"{error} Start RelMan again.")
    return Finding("supervisor", True, "The process supervisor answers.")


def _disk(place: Place) -> Finding:
    free = shutil.disk_usage(place.releases).free
    amount = f"{free / 2**30:,.1f} GiB are free for releases"
    if free < LEAST_FREE:
        return Finding("disk", False, f"Only {amount}; make room in {place.public.parent}.")
    return Finding("disk", True, f"{amount}.")


def _shell() -> Finding:
    ok = os.access("/bin/sh", os.X_OK) and Path("/proc/self/stat").exists()
    return Finding("shell", ok, "/bin/sh is there." if ok else "This driver needs Linux with /bin/sh and /proc.")


def _python(user: int | None) -> Finding:
    """Only a remark: an application may bring its own, or be no Python at all."""
    found = _as_user(user, "command -v python3 && python3 -c ''").strip()
    if found:
        return Finding("python", True, f"Applications find python3 at {found}.")
    return Finding(
        "python",
        True,
        "Applications find no python3 that they may run; those that need one will not start. Install the system's "
        "python3, or name a folder in RELMAN_APP_PATH that every user may enter.",
    )


def _isolation(layout: Layout, place: Place, user: int | None) -> Finding:
    if user is None:
        return Finding(
            "isolation",
            True,
            "Weak: applications run as the same user as RelMan itself and could read its files. "
            "Where RelMan runs as root, each environment gets a user of its own.",
        )
    paths = [str(layout.home / name) for name in PRIVATE]
    readable = _as_user(user, 'for path in "$@"; do [ -r "$path" ] && echo "$path"; done', *paths).split("\n")
    open_to_it = [path for path in readable if path]
    if open_to_it:
        return Finding("isolation", False, f"Applications could read {', '.join(open_to_it)}: close these to others.")
    return Finding("isolation", True, f"Applications run as user {user} of their own and cannot read RelMan's files.")


def _as_user(user: int | None, script: str, *arguments: str) -> str:
    """What a shell prints as the application's user; nothing when it fails."""
    command = ["/bin/sh", "-c", script, "check", *arguments]
    identity: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": ()}
    try:
        done = subprocess.run(
            command,
            env={"PATH": application_path()},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            **identity,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return str(done.stdout)
