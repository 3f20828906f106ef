"""The Celery application: a doorbell for promotions."""

import os

from celery import Celery
from celery.signals import worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "relman.settings")
app = Celery("relman")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def fresh_connections(**_: object) -> None:
    """A forked child must not share its parent's database connections."""
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        connection.connection = None
        if hasattr(connection, "close_pool"):
            connection._connection_pools.clear()  # type: ignore[attr-defined]  # Django has no public way
