"""How soon an approved promotion begins on an idle worker: `python -m tests.bench.queue [--times 40]`.

From the last approval's event to the start of the first step, by the database's clock. Fails when p95 is a second.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from relman.embedded.throwaway import enter, stack
from tests.bench.workers import FIVE, prepare, spread, worker

if TYPE_CHECKING:
    from releases.models import Promotion
    from tests.factories import Shop


def main() -> int:
    """Measure; 1 when it takes too long."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--times", type=int, default=40)
    wanted = options.parse_args()
    with stack(durable=True) as variables:
        enter(variables)
        shop = prepare(FIVE)
        with worker("relman", Path(variables["RELMAN_HOME"])):
            waits = [begun(shop, number) for number in range(wanted.times + 1)][1:]
    print(f"approved until the first step begins, idle worker: {spread(waits)} (aim: p95 under 1000 ms)")
    return int(sorted(waits)[int(len(waits) * 0.95)] >= 1)


def begun(shop: Shop, number: int) -> float:
    """Seconds between yes and the first step of one promotion into Live."""
    from releases.models import Step
    from relman.audit.models import Event

    release = shop.release(f"1.{number}.0") if number == 0 else shop.application.releases.get()
    for phase in ("dev", "qa", "stage") if number == 0 else ():
        settle(shop.ask(release, phase))
    promotion = shop.approve(shop.ask(release, "live"))
    settle(promotion)
    yes = Event.objects.filter(promotion_id=promotion.pk, verb="promotion.approved").latest("at").at
    first = Step.objects.get(promotion=promotion, number=1).started_at
    assert first is not None
    return (first - yes).total_seconds()


def settle(promotion: Promotion) -> None:
    """Wait for its end."""
    for _ in range(6000):
        promotion.refresh_from_db()
        if promotion.status == "succeeded":
            return
        time.sleep(0.01)
    raise RuntimeError(f"{promotion} does not end.")


if __name__ == "__main__":
    sys.exit(main())
