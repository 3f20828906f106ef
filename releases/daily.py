"""What RelMan does once a day by itself, in a worker: retention, where the installation asks for it.

Any number of workers may come by: the first one of the day does it, the others find it done in the record.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

from django.conf import settings
from django.db import close_old_connections, connection
from django.db.models.functions import Now

from releases.actions import retention
from releases.retention import Rule
from relman.actors import Actor
from relman.audit.models import Event
from relman.background import spread
from relman.errors import Conflict

log = logging.getLogger(__name__)
LOOK = 600.0
"""Seconds between two looks whether a day has passed."""

_thread: threading.Thread | None = None
_end = threading.Event()


def start() -> None:
    """Begin in this process, if the installation asks for it; a second call does nothing."""
    global _thread
    if settings.RETENTION == "daily" and (_thread is None or not _thread.is_alive()):
        _end.clear()
        _thread = threading.Thread(target=_run, name="daily", daemon=True)
        _thread.start()


def stop() -> None:
    """End in this process."""
    _end.set()


def _run() -> None:
    while not _end.wait(LOOK * spread(0.5, 1.0)):
        try:
            close_old_connections()
            once()
        except Exception as error:  # the next look must come, whatever this one met
            log.warning("The daily retention failed, the next look tries again: %s", error)
        finally:
            connection.close()


def once() -> bool:
    """Delete what nobody needs, by the configured rule; False: it was done within a day, or a backup is at work."""
    day = Now() - timedelta(days=1)
    if Event.objects.filter(verb="retention.applied", outcome="done", at__gt=day).exists():
        return False
    try:
        retention.apply(Rule(settings.KEEP_DAYS, settings.KEEP_RELEASES), actor=Actor.system())
    except Conflict:
        return False
    return True
