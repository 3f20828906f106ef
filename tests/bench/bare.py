"""A bare Celery application on RelMan's broker: the floor of what a promotion costs."""

import os

from celery import Celery

app = Celery("bare", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
app.conf.task_default_queue = "bare"
app.conf.broker_transport_options = {"visibility_timeout": 300}


@app.task(name="bare.nothing")
def nothing() -> int:
    """Do nothing, and say so."""
    return 1
