"""Waiting for a condition, with a limit that a busy machine does not reach; and work in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.db import connection

PATIENCE = 60.0
"""Seconds."""


def until(holds: Callable[[], object], seconds: float = PATIENCE) -> bool:
    """Wait until it holds; False: it did not in time."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def in_background(work: Callable[[], object]) -> threading.Thread:
    """Begin work in a thread of its own, which leaves no connection to the database behind."""

    def body() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=body)
    thread.start()
    return thread


def waits_for_a_lock(thread: threading.Thread) -> bool:
    """Wait until somebody in this database waits for a lock; False: the thread ended instead, or nobody did in time."""
    return until(lambda: _somebody_waits() or not thread.is_alive()) and thread.is_alive()


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees the same all the time
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])
