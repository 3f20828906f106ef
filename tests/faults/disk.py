"""Row 17 of FAULTS, PostgreSQL's part, in processes of its own: `python -m tests.faults.disk FOLDER`.

FOLDER is on a small disk; PostgreSQL keeps its files there. The disk is filled, people go on clicking, then there is
room again. The last line printed is what was found, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from relman.embedded import folders
from relman.embedded.postgres import Postgres
from tests.faults.stack import Stack

PATIENCE = 120.0
"""Seconds for each wait, on a busy machine."""
CLICKS = 3000
"""At most so many until the full disk must have been felt."""


def main() -> None:
    """Fill, click, make room, click, check."""
    stack = Stack()
    stack.postgres = Postgres(Path(sys.argv[1]) / "postgres", folders.run(stack.home), durable=False)
    try:
        stack.prepare()
        print(json.dumps(drill(stack, Path(sys.argv[1]) / "fill")), flush=True)
    finally:
        stack.close()


def drill(stack: Stack, filler: Path) -> dict[str, Any]:
    """What the clicks were answered before, meanwhile and afterwards, and what the checker says."""
    from tests import factories
    from tests.faults import checker
    from tests.faults.people import token

    shop = factories.shop()
    release, secret = shop.release(), token(shop)
    stack.worker().await_ready()
    port, place = stack.serve(), shop.environments["dev"].pk
    wish = {"application": shop.application.slug, "version": release.version, "phase": "dev"}
    found: dict[str, Any] = {"before": settled(port, secret, wish)}
    serving = stack.home / "scripted" / str(place) / "serving.json"
    fill(filler)
    found["refused"] = clicked_until_refused(port, secret, wish)
    found["serves"] = bool(json.loads(serving.read_text()))
    filler.unlink()
    if not stack.is_up("postgres"):  # what `up` does with a server that has ended
        stack.up("postgres")
    found["after"] = settled(port, secret, wish)
    wait_for_rest()
    found["wrong"] = checker.check(stack.home, []).sentences
    return found


def fill(path: Path) -> None:
    """Leave no room on the disk."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 65536)


def click(port: int, secret: str, wish: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Ask for a promotion with a long comment: it needs room."""
    from tests.faults.people import call

    status, body = call(port, secret, "promotions/", {**wish, "comment": "x" * 2000}, f"key-{time.monotonic_ns()}")
    return status, json.loads(body)


def clicked_until_refused(port: int, secret: str, wish: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
    """The first answer that is no yes; None when there was none."""
    for _ in range(CLICKS):
        answer = click(port, secret, wish)
        if answer[0] >= 500:
            return answer
    return None


def settled(port: int, secret: str, wish: dict[str, Any]) -> str:
    """Click until it is accepted; the status that this promotion ends with."""
    from django.db import Error

    from releases.models import Promotion
    from tests.faults.world import forget_connections

    end, status, number = time.monotonic() + PATIENCE, "", 0
    while time.monotonic() < end:
        with contextlib.suppress(Error):
            if not number:
                code, answer = click(port, secret, wish)
                number = answer["id"] if code == 201 else 0
            status = Promotion.objects.get(pk=number).status if number else f"refused with {code}"
            if status in ("succeeded", "failed", "errored"):
                return status
        forget_connections()
        time.sleep(0.2)
    return status


def wait_for_rest() -> None:
    """Until everything that was accepted has ended."""
    from releases import statuses
    from releases.models import Promotion

    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        going = Promotion.objects.exclude(status__in=statuses.ENDED) | Promotion.objects.filter(cleanup="due")
        if not going.exists():
            return
        time.sleep(0.2)


if __name__ == "__main__":
    main()
