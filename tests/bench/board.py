"""Server time of the board, beside its floor: a bare Django view that does one indexed query.

    python -m tests.bench.board [--promotions 50000]

Prints the number of queries and the median and worst time of twenty requests, sign-in and template included,
for 5 and for 200 applications with 10,000 releases and 50,000 promotions.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from relman.embedded.throwaway import enter, stack

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from phases.models import User

RUNS = 20


def main() -> None:
    """Measure both sizes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--promotions", type=int, default=50_000)
    wanted = options.parse_args()
    with stack() as variables:
        enter(variables)
        compare(wanted.promotions)


def compare(promotions: int) -> None:
    """A small house and a big one."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "relman.settings"
    import django

    django.setup()
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    from tests.bench.seed import Size, fill

    setup_test_environment()
    call_command("migrate", verbosity=0)
    for size in (Size(5, 250, 1250), Size(200, 10_000, promotions)):
        call_command("flush", verbosity=0, interactive=False, reset_sequences=False)
        report(f"{size.applications} applications, {size.promotions:,} promotions", fill(size))


def report(title: str, reader: User) -> None:
    """Print one size."""
    ours, floor = measure(page(reader)), measure(bare())
    queries = count(page(reader))
    print(f"{title}: {queries} queries; board {ours} ms; one indexed query in a bare view {floor} ms")


def page(reader: User) -> Callable[[], None]:
    """A request for the board by somebody who is signed in."""
    from django.test import Client

    client = Client()
    client.force_login(reader)

    def ask() -> None:
        response = client.get("/board/")
        assert response.status_code == 200, response.status_code

    return ask


def bare() -> Callable[[], None]:
    """The floor: the same Django, one indexed query, no template."""
    from django.http import HttpResponse
    from django.test import RequestFactory

    from phases.models import Application

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(Application.objects.get(slug="app-1").name)

    request = RequestFactory().get("/")

    def ask() -> None:
        view(request)

    return ask


def measure(ask: Callable[[], None]) -> str:
    """Median and worst of the runs by the wall's clock, and the median of this process's own work, in milliseconds."""
    ask()
    wall, own = [], []
    for _ in range(RUNS):
        begun, busy = time.perf_counter(), time.process_time()
        ask()
        wall.append((time.perf_counter() - begun) * 1000)
        own.append((time.process_time() - busy) * 1000)
    return f"{statistics.median(wall):.1f} (worst {max(wall):.1f}, processor {statistics.median(own):.1f})"


def count(ask: Callable[[], None]) -> int:
    """The queries of one request."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        ask()
    return len(captured)


if __name__ == "__main__":
    main()
