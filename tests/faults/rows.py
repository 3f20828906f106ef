"""The rows of FAULTS that are storms: which faults, how many promotions, over how many seconds."""

from __future__ import annotations

import json
import random
import signal
import time

from tests.faults import injectors as inject
from tests.faults.drill import Drill, Report, Row
from tests.faults.people import call, token
from tests.faults.ways_back import answered_and_rehearsed, two_releases

CLICK = 2.0
"""Seconds within which a click is answered while the broker is away (0.3 s on a machine that does nothing else)."""


def child_killed(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 1: kill -9 at every boundary of a visit, and anywhere."""
    faults = [*[inject.trapdoor] * 14, *[inject.child] * 3]
    drill.storm(report, dice, promotions=14, seconds=8, faults=faults)


def worker_killed(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 2: kill -9 of a whole worker, one survivor; then of all, and nobody for a while."""
    drill.storm(report, dice, promotions=10, seconds=6, faults=[inject.worker] * (1 if drill.brief else 2))
    for worker in drill.stack.alive():
        worker.kill()
        report.count("kill -9 of a whole worker")
    drill.ask(report, dice)
    time.sleep(4)


def worker_stopped(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 3: SIGSTOP for twice the lease: inside a step, inside a transaction, of a whole worker."""
    drill.storm(report, dice, promotions=10, seconds=8, faults=[inject.frozen, inject.frozen, inject.partitioned])


def broker_emptied(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 4: the broker is killed with much queued, and comes back empty."""
    for worker in drill.stack.alive():
        worker.signal(signal.SIGSTOP)
    while report.asked < (12 if drill.brief else 100):
        drill.ask(report, dice)
    inject.broker_emptied(drill, report, dice)
    for worker in drill.stack.alive():
        worker.signal(signal.SIGCONT)


def broker_down(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 5: clicks while the broker is away are answered at once, by a real web process, and all of it runs later."""
    port = drill.stack.serve()
    click(drill, report, dice, port)  # the first one loads the code
    floor = max(click(drill, report, dice, port) for _ in range(3))
    drill.stack.kill("valkey")
    report.count("broker gone while people click")
    clicks = []
    for _ in range(8):
        clicks.append(click(drill, report, dice, port))
        time.sleep(0.3)
    limit = max(CLICK, 3 * floor)  # a machine that is busy with other things is slow with the broker there, too
    report.wrong += [f"a click was answered after {one:.1f} s" for one in clicks if one > limit]
    report.facts |= {"slowest click": round(max(clicks), 3), "with the broker": round(floor, 3)}
    drill.stack.up("valkey")


def click(drill: Drill, report: Report, dice: random.Random, port: int) -> float:
    """Ask for a promotion through the API; seconds until it is answered."""
    place = dice.choice(drill.world.environments).pk
    shop, release = drill.world.shop_of(place), drill.world.releases[place][-1]
    wish = {"application": shop.application.slug, "version": release.version, "phase": "dev"}
    secret, begin = token(shop), time.monotonic()
    status, answer = call(port, secret, "promotions/", wish, f"key-{dice.random()}")
    took = time.monotonic() - begin
    if status == 201:
        report.asked += 1
        drill.world.accepted.append(json.loads(answer)["id"])
    else:
        report.wrong.append(f"a click was answered {status}: {answer[:300]!r}")
    return took


def broker_reset(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 6: connections reset twenty times; the same workers consume again."""
    before = {worker.process.pid for worker in drill.stack.alive()}
    drill.storm(report, dice, promotions=8, seconds=8, faults=[inject.connections_reset])
    report.facts["same workers"] = before == {worker.process.pid for worker in drill.stack.alive()}


def broker_swallowed(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 6, the black hole: connections are accepted and nothing is answered; the same workers consume again."""
    man_anew(drill, {"BROKER_URL": drill.through_proxy()})
    workers = list(drill.stack.alive())
    drill.ask(report, dice)
    inject.black_hole(drill, report, dice)
    drill.peace()
    report.facts["same workers"] = all(worker.process.poll() is None for worker in workers)
    man_anew(drill, {})


def database_killed(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 7: PostgreSQL is killed in the middle of steps."""
    drill.storm(report, dice, promotions=12, seconds=8, faults=[inject.database_killed] * 2)


def clocks_off(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 9: workers whose clocks are an hour off, or jump at each look; one of them is killed as well."""
    shifts = ["3600", "-3600", "jumping"]
    for worker in drill.stack.alive():
        worker.kill()
    for _ in range(drill.wanted):
        drill.stack.worker({"FAULTS_CLOCK": dice.choice(shifts)}).await_ready()
        report.count("clock an hour off, or jumping")
    drill.storm(report, dice, promotions=10, seconds=6, faults=[*[inject.trapdoor] * 4])
    drill.stack.disarm()
    drill.peace()
    for worker in drill.stack.alive():
        worker.kill()


def messages_again(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 10: every message three times, shuffled, and those of long ago."""
    drill.storm(report, dice, promotions=14, seconds=6, faults=[inject.messages] * 4)


def rollback_killed(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 19: kill -9 at the boundaries of a rollback: the release before it serves again, once."""
    from releases import actions
    from releases.models import Promotion

    shops = dice.sample(drill.world.shops, 4)
    two_releases(drill, report, dice, shops)
    backs = []
    for shop in shops:
        inject.trapdoor(drill, report, dice)
        back = actions.roll_back(shop.environments["dev"], actor=shop.actor("developer"), reason="A bad night.")
        backs.append(back.pk)
        time.sleep(0.3)
        inject.trapdoor(drill, report, dice)
    drill.world.accepted += backs
    drill.peace()
    ended = Promotion.objects.filter(pk__in=backs).values_list("status", flat=True)
    report.facts["rollbacks"] = sorted(ended)


def default_settings(drill: Drill, report: Report, dice: random.Random) -> None:
    """The promise as it is shipped: workers killed in steps (their clocks jump too), and everybody is heard of again
    within 45 s."""
    shipped = {"RELMAN_LEASE": "30", "RELMAN_SWEEP": "10", "RELMAN_RING_AGAIN": "15", "FAULTS_CLOCK": "jumping"}
    man_anew(drill, shipped)
    for point in dice.sample(["begun", "before-effect", "in-effect", "unsaved", "claimed", "ended"], 3):
        drill.stack.arm(point)
    for environment in dice.sample(drill.world.environments, 4):
        report.asked += drill.world.ask(environment.pk, dice) is not None
    before, end = len(drill.stack.fallen()), time.monotonic() + 60
    while len(drill.stack.fallen()) == before and time.monotonic() < end:
        time.sleep(0.2)
    time.sleep(3)
    drill.stack.disarm()
    inject.worker(drill, report, dice)
    drill.peace()
    drill.more = {}
    if not drill.brief:
        man_anew(drill, {})


def man_anew(drill: Drill, more: dict[str, str]) -> None:
    """Other workers, with other settings."""
    for worker in drill.stack.alive():
        worker.kill()
    drill.more = more
    drill.man()


def rolling_restart(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 20: workers are replaced one after the other under load; nothing fails, nothing is repeated."""
    from releases.models import Promotion

    # A lease of 3 s runs out by itself where the machine has other things to do.
    man_anew(drill, {"RELMAN_LEASE": "30"})
    drill.storm(report, dice, promotions=16, seconds=10, faults=[inject.rolling] * (1 if drill.brief else 3))
    drill.peace()
    mine = Promotion.objects.filter(pk__in=drill.world.accepted[-report.asked :])
    report.facts["taken over"] = sum(mine.values_list("takeovers", flat=True))
    drill.more = {}
    report.facts["not succeeded"] = mine.exclude(status__in=("succeeded", "superseded")).count()


def everything(drill: Drill, report: Report, dice: random.Random) -> None:
    """Row 24: many promotions, and any of the above at once."""
    rare = [inject.worker, inject.frozen, inject.partitioned, inject.rolling, inject.broker_emptied, inject.broker_away]
    rare += [inject.database_killed, inject.messages, inject.child, inject.child, inject.messages]
    faults = [*[inject.trapdoor] * 110, *[inject.child] * 8, *dice.sample(rare, 5)]
    drill.storm(report, dice, promotions=70, seconds=45, faults=faults)


STORMS: dict[str, Row] = {
    "1": child_killed,
    "2": worker_killed,
    "3": worker_stopped,
    "4": broker_emptied,
    "5": broker_down,
    "6": broker_reset,
    "6b": broker_swallowed,
    "7": database_killed,
    "9": clocks_off,
    "10": messages_again,
    "19": rollback_killed,
    "19b": answered_and_rehearsed,
    "20": rolling_restart,
    "45": default_settings,
    "24": everything,
}
