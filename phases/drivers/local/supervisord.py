"""Runs the installation's one supervisord: `supervisord.py <home> [--try]`, in the foreground.

A lock makes sure that there is one: a second waits for its turn, or with --try
ends at once. It differs from supervisor's own command in one thing: when it is
told to stop, it stops all programs together and not one after the other, and
makes sure that none is left.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from supervisor.medusa import asyncore_25 as asyncore  # noqa: E402 - after the two lines above, like all below
from supervisor.options import ServerOptions  # noqa: E402
from supervisor.poller import PollPoller  # noqa: E402
from supervisor.supervisord import Supervisor  # noqa: E402

from phases.drivers.local import processes  # noqa: E402


class AllAtOnce(Supervisor):  # type: ignore[misc]  # supervisor has no types
    """Stops every group in one go."""

    stop_groups: list[Any] | None

    def ordered_stop_groups_phase_1(self) -> None:
        """Ask all to end."""
        for group in self.stop_groups or ():
            group.stop_all()

    def ordered_stop_groups_phase_2(self) -> None:
        """Keep those that have not ended yet."""
        self.stop_groups = [group for group in self.stop_groups or () if group.get_unstopped_processes()]


class CarefulPoller(PollPoller):  # type: ignore[misc]  # supervisor has no types
    """Forgets a pipe that has nothing but an error to tell: another pipe had its number before, and supervisor, which
    then never looks at it, would be woken by it for ever and take a whole processor."""

    def _ignore_invalid(self, handle: int, events: int) -> bool:
        return bool(super()._ignore_invalid(handle, select.POLLNVAL if events == select.POLLERR else events))


def main() -> None:
    """Take the lock, then be supervisord until told to stop."""
    control = Path(sys.argv[1]) / "targets" / "control"
    if "--try" not in sys.argv:
        _note_parent(control / "kept-by")
    lock = os.open(control / "supervisord.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if "--try" in sys.argv else 0))
    except BlockingIOError:
        return
    (control / "supervisord.pid").write_text(str(os.getpid()))
    options = ServerOptions()
    options.poller = CarefulPoller(options)
    options.realize(["-n", "-c", str(control / "supervisord.conf")])
    options.first, options.test = True, False
    with suppress(asyncore.ExitNow):  # how it ends when all have ended
        AllAtOnce(options).main()
    processes.end_all_recorded(str(control), 1.0)


def _note_parent(note: Path) -> None:
    """Leave word that somebody will start it again if it dies."""
    beside = note.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(processes.identify(os.getppid())))
    beside.replace(note)


if __name__ == "__main__":
    main()
