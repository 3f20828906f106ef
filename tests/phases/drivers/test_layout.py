"""Where the local driver keeps what, when several workers ask for the first time at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from phases.drivers.local.layout import Layout, Place

WORKERS = 8


def test_workers_that_come_first_at_once_all_find_the_same_place(tmp_path: Path) -> None:
    for number in range(20):
        home = tmp_path / str(number)
        together = threading.Barrier(WORKERS)

        def come(_: int, home: Path = home, together: threading.Barrier = together) -> Place:
            together.wait(60)
            return Layout(home).make_place(7)

        with ThreadPoolExecutor(WORKERS) as pool:
            places = set(pool.map(come, range(WORKERS)))
        assert len(places) == 1
        (place,) = places
        assert place.control.is_dir()
        assert place.data.is_dir()
        assert not list((home / "targets" / "control").glob(".*"))
