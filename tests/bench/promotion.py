"""What a promotion costs beside its floor: `python -m tests.bench.promotion [--times 40] [--many 200]`.

Request accepted until succeeded, with five no-op steps, against five bare Celery round trips on the same broker in the
same run; then many such promotions with two worker processes, a minute, beside their commits alone. Commits wait for
the disk, as in production. Ends with 1 when a process of the worker keeps growing.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from relman.embedded.throwaway import enter, stack
from tests.bench import commits
from tests.bench.workers import FIVE, more, prepare, spread, worker

if TYPE_CHECKING:
    from tests.factories import Shop

ENVIRONMENTS = 50
GROWTH = 10
"""MB by which no process may grow over the many."""


def main() -> int:
    """Measure both; 1 when the workers' memory grows."""
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
        return int(not at_once(shop, home, wanted.many))


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


def at_once(shop: Shop, home: Path, many: int) -> bool:
    """Many at once with two worker processes that are warm, beside the floor; True while their memory stays flat."""
    from phases import actions as places
    from tests import factories

    floor = commits.floor(many)
    places.set_phase(shop.phase("dev"), actor=factories.administrator(), in_order=True)
    shops = more(shop, ENVIRONMENTS, FIVE)
    with worker("relman", home) as process:
        wave(process.pid, shops, 2 * ENVIRONMENTS)
        before, held = processor(process.pid), memory(process.pid)
        took = wave(process.pid, shops, many)
        busy = processor(process.pid) - before
        grown = max(now - held[pid] for pid, now in memory(process.pid).items())
    floor = (floor + commits.floor(many)) / 2
    print(
        f"{many} promotions in {len(shops)} environments, two worker processes: {took:.1f} s, "
        f"{many / took * 60:.0f} a minute (aim: 2000)"
    )
    print(
        f"their {commits.EACH} commits each, alone, in two processes: {floor:.1f} s, {many / floor * 60:.0f} a minute: "
        f"{took / floor:.1f} times the floor, and {busy / many * 1000:.0f} ms of the workers' processors each"
    )
    print(f"the workers' heaviest process grew from {max(held.values()):.0f} MB by {grown:.1f} MB (at most {GROWTH})")
    return grown <= GROWTH


def wave(worker_group: int, shops: list[Shop], many: int) -> float:
    """Ask for so many while the worker stands still; seconds until all have succeeded."""
    from releases.models import Promotion

    os.killpg(worker_group, signal.SIGSTOP)
    releases = [one.application.releases.first() or one.release() for one in shops]
    asked = [shops[n % len(shops)].ask(releases[n % len(shops)], "dev").pk for n in range(many)]
    mine = Promotion.objects.filter(pk__in=asked).exclude(status="succeeded")
    begin = time.perf_counter()
    os.killpg(worker_group, signal.SIGCONT)
    while mine.exists():
        time.sleep(0.05)
        if time.perf_counter() - begin > 300:
            raise RuntimeError(f"{mine.count()} of {many} have not succeeded.")
    return time.perf_counter() - begin


def members(group: int) -> Iterator[tuple[int, list[str]]]:
    """Number and status of each process of this group, as /proc tells them after the name."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            words = stat.read_text().rsplit(")", 1)[1].split()
            if int(words[2]) == group:
                yield int(stat.parent.name), words


def memory(group: int) -> dict[int, float]:
    """Resident MB of each process of this group."""
    return {pid: int(words[21]) * os.sysconf("SC_PAGE_SIZE") / 2**20 for pid, words in members(group)}


def processor(group: int) -> float:
    """Seconds of processor time that the processes of this group have used."""
    ticks = sum(int(words[11]) + int(words[12]) for _, words in members(group))
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
