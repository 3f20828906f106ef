"""What a promotion costs beside its floor: `python -m tests.bench.promotion [--times 40] [--many 200]`.

Request accepted until succeeded, with five no-op steps, against five bare Celery round trips on the same broker in the
same run; then many such promotions with two worker processes, a minute. Commits wait for the disk, as in production.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

from relman.embedded.throwaway import enter, stack
from tests.bench.workers import FIVE, more, prepare, spread, worker

if TYPE_CHECKING:
    from tests.factories import Shop

ENVIRONMENTS = 50


def main() -> None:
    """Measure both."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--times", type=int, default=40)
    options.add_argument("--many", type=int, default=200)
    wanted = options.parse_args()
    with stack(durable=True) as variables:
        enter(variables)
        home, shop = Path(variables["RELMAN_HOME"]), prepare(FIVE)
        with worker("tests.bench.bare", home):
            floor = round_trips(wanted.times)
        with worker("relman", home):
            took = one_by_one(shop, wanted.times)
        with worker("tests.bench.bare", home):
            floor += round_trips(wanted.times)
        print(f"five bare Celery round trips: {spread(floor)}")
        ratio = statistics.median(took) / statistics.median(floor)
        print(f"a promotion with five no-op steps: {spread(took)}; {ratio:.1f} times the floor (aim: 4)")
        at_once(shop, home, wanted.many)


def round_trips(times: int) -> list[float]:
    """Seconds of five bare tasks one after the other, each with its answer."""
    from tests.bench.bare import nothing

    nothing.delay().get(timeout=30)
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        for _ in range(5):
            nothing.delay().get(timeout=30)
        taken.append(time.perf_counter() - begin)
    return taken


def one_by_one(shop: Shop, times: int) -> list[float]:
    """Seconds from the answer to the click until the record says succeeded."""
    from releases.models import Promotion

    release, taken = shop.release(), []
    for number in range(times + 2):
        promotion = shop.ask(release, "dev")
        begin = time.perf_counter()
        row = Promotion.objects.filter(pk=promotion.pk).values_list("status", flat=True)
        while row.get() != "succeeded":
            time.sleep(0.002)
            if time.perf_counter() - begin > 60:
                raise RuntimeError(f"Promotion {promotion.pk} is {row.get()}.")
        if number > 1:
            taken.append(time.perf_counter() - begin)
    return taken


def at_once(shop: Shop, home: Path, many: int) -> None:
    """All asked for while the worker stands still; then how long it takes."""
    from phases import actions as places
    from releases.models import Promotion
    from tests import factories

    places.set_phase(shop.phase("dev"), actor=factories.administrator(), in_order=True)
    shops = more(shop, ENVIRONMENTS, FIVE)
    releases = [one.release() for one in shops]
    with worker("relman", home) as process:
        os.killpg(process.pid, signal.SIGSTOP)
        asked = [shops[n % len(shops)].ask(releases[n % len(shops)], "dev").pk for n in range(many)]
        mine = Promotion.objects.filter(pk__in=asked).exclude(status="succeeded")
        begin = time.perf_counter()
        os.killpg(process.pid, signal.SIGCONT)
        while mine.exists() and time.perf_counter() - begin < 300:
            time.sleep(0.05)
        took = time.perf_counter() - begin
    print(
        f"{many} promotions in {len(shops)} environments, two worker processes: {took:.1f} s, "
        f"{many / took * 60:.0f} a minute (aim: 2000); {mine.count()} not succeeded"
    )


if __name__ == "__main__":
    main()
