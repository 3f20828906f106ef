"""A demo of one's own, for as long as it is needed."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.browser.site import Site
from tests.installation import Installation, free_ports, wait_until

START = 300
"""Seconds that start and seeding may take, while other tests keep the machine busy."""


@contextmanager
def running_site() -> Iterator[Site]:
    """A demo of its own; or, for whoever works on pages, the one that BROWSER_SITE (home:port:gateway port) names."""
    named = os.environ.get("BROWSER_SITE", "")
    if named:
        folder, port, gateway_port = named.split(":")
        yield Site(Path(folder), int(port), int(gateway_port))
        return
    with tempfile.TemporaryDirectory(prefix="relman-browser-", ignore_cleanup_errors=True) as scratch:
        place = Installation(Path(scratch) / "relman", *free_ports(), demo=True)
        try:
            place.start(START)
            yield Site(place.home, place.port, place.gateway_port)
        finally:
            hurried_end(place)
            wait_until(lambda: not place.processes(), 60)


def hurried_end(place: Installation) -> None:
    """Ask it to end, and again after a moment: a second signal makes it short, and a migration of hours runs there."""
    for _ in range(40):
        if place.process is None or place.process.poll() is not None:
            return
        place.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            place.process.wait(3)
