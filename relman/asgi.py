"""The web process: pages, API and event stream; it sweeps too."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "relman.settings")

from relman.streaming import application as streaming

django = streaming()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """ASGI entry: lifespan starts and stops the sweep, everything else is Django's."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    else:
        await django(scope, receive, send)


async def lifespan(receive: Any, send: Any) -> None:
    """Sweep, and follow what moves, for as long as this process serves."""
    from releases.engine import sweep
    from relman import live

    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            sweep.start("web")
            live.hub().start()
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            sweep.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return
