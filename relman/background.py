"""One thread a process for sends that nobody waits for: doorbells and live topics; and pauses that differ.

A click must not wait for the broker, not even for one that swallows connections. What
is lost here is sent again by the sweep, or shown by polling.
"""

from __future__ import annotations

import logging
import os
import queue
import random
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)
LONGEST = 10_000

_lock = threading.Lock()
_owner = 0
_work: queue.Queue[Callable[[], None]] = queue.Queue(LONGEST)


def later(send: Callable[[], None]) -> None:
    """Do it soon, in order, in this process; dropped when far too much waits already."""
    _ensure_thread()
    try:
        _work.put_nowait(send)
    except queue.Full:
        log.warning("Too many sends wait; one was dropped. The sweep makes up for it.")


def flush(timeout: float = 60.0) -> bool:
    """Wait until all that was handed over is sent; False when it took too long. For tests and process ends."""
    done = threading.Event()
    later(done.set)
    return done.wait(timeout)


def spread(least: float, most: float) -> float:
    """A random length between the two, so that many processes do not do the same at the same moment."""
    return random.uniform(least, most)  # noqa: S311 - keeps no secret


def _ensure_thread() -> None:
    global _owner
    if _owner == os.getpid():
        return
    with _lock:
        if _owner != os.getpid():
            threading.Thread(target=_run, args=(_work,), name="sends", daemon=True).start()
            _owner = os.getpid()


def _forget() -> None:
    """A forked child inherits the queue but not the thread, and the lock as it was: held, perhaps, by nobody there."""
    global _lock, _owner, _work
    _lock, _owner, _work = threading.Lock(), 0, queue.Queue(LONGEST)


os.register_at_fork(after_in_child=_forget)


def _run(work: queue.Queue[Callable[[], None]]) -> None:
    while True:
        send = work.get()
        try:
            send()
        except Exception as error:  # the next one must still go out
            log.debug("A send failed: %s", error)
