"""Promotions are asked for while faults are injected from a seeded plan; then peace, then the check."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.faults.proxy import Proxy
from tests.faults.stack import Stack

LATE = 45.0
"""Seconds within which whatever a fault struck must be seen to live again."""
BUSY = 15.0
"""Seconds more where the rows are played briefly, beside other tests on the same machine; `make drill` grants none."""
MEMORY = 200.0
"""Resident MB that no process of a worker may reach; after its first visits it has 105 to 130."""
PEACE = 400.0
"""Seconds that a world gets to come to rest, on a busy machine."""


@dataclass
class Report:
    """What one row of the matrix came to."""

    row: str
    injected: int = 0
    lost: int = 0
    doubled: int = 0
    late: int = 0
    slowest: float = 0.0
    """Seconds until the worst struck promotion was seen to live again."""
    asked: int = 0
    memory: float = 0.0
    """Resident MB of the heaviest process of all workers, after it all."""
    repeated: int = 0
    wrong: list[str] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.late or self.wrong)

    def count(self, fault: str, times: int = 1) -> None:
        """So many faults of this kind were injected."""
        self.injected += times
        self.faults[fault] = self.faults.get(fault, 0) + times


Row = Callable[["Drill", Report, random.Random], None]


class Drill:
    """A stack and a world, used for many rows: each row leaves it in peace."""

    def __init__(self, seed: int, *, each: int = 4, workers: int = 2, children: int = 2, brief: bool = False) -> None:
        self.seed, self.brief, self.children = seed, brief, children
        self.stack = Stack()
        self.stack.prepare()
        from tests.faults import world

        self.world = world.build(seed, each=each)
        self.wanted = workers
        self.struck: list[tuple[int, float]] = []
        """Promotions that a fault struck, and when the fault was over (seconds since 1970)."""
        self.judged = 0
        """So many who fell are counted already."""
        self.proxy: Proxy | None = None
        self.known: set[str] = set()
        """What the checker found already: each harm counts once, though it stays in the record."""
        self.enough = threading.Event()
        """Nobody clicks any more."""
        self.more: dict[str, str] = {}
        """Further environment of the workers that are started from now on."""
        self.man()

    def through_proxy(self) -> str:
        """The broker's address, by way of a proxy that can swallow it."""
        self.proxy = self.proxy or Proxy(self.stack.valkey.socket, self.stack.valkey.socket.with_name("proxy.sock"))
        return self.proxy.url

    def man(self) -> None:
        """As many workers as wanted."""
        fresh = [
            self.stack.worker(self.more, children=self.children) for _ in range(self.wanted - len(self.stack.alive()))
        ]
        for worker in fresh:
            worker.await_ready()

    def close(self) -> None:
        if self.proxy:
            self.proxy.close()
        self.stack.close()

    def row(self, name: str, work: Row, seed: int) -> Report:
        """Do something bad, wait for peace, check."""
        return self.rows({name: work}, seed)[name]

    def rows(self, works: Mapping[str, Row], seed: int) -> dict[str, Report]:
        """One after the other, and one judgement over all: what the checker found is said of each."""
        reports = {name: Report(name) for name in works}
        self.play(works, reports, seed)
        return reports

    def play(self, works: Mapping[str, Row], reports: Mapping[str, Report], seed: int) -> None:
        """The same into reports of the caller's, who so knows what was injected even when this breaks off."""
        self.struck.clear()
        self.judged = len(self.stack.fallen())
        for name, work in works.items():
            work(self, reports[name], random.Random(f"{name}-{seed}"))
            self.stack.disarm()
            self.restore()
        total = self.judge(Report("all"))
        for report in reports.values():
            report.lost, report.doubled, report.repeated = total.lost, total.doubled, total.repeated
            report.late, report.slowest = total.late, total.slowest
            report.memory = total.memory
            report.wrong += total.wrong
            for fault, times in total.faults.items():
                report.count(fault, times)

    def judge(self, report: Report) -> Report:
        """End all faults, wait for peace, let the checker look; who fell since the row began is counted now."""
        self.stack.disarm()
        self.restore()
        self.peace()
        from tests.faults import checker, world

        found = checker.check(self.stack.home, self.world.accepted, world.SECRET)
        fallen = self.stack.fallen()[self.judged :]
        for fell in fallen:
            report.count(f"{fell['sign'].lower()} at {fell['point']}")
        fresh = set(found.sentences) - self.known
        self.known |= fresh
        report.lost, report.doubled = len(fresh.intersection(found.lost)), len(fresh.intersection(found.doubled))
        report.repeated = found.repeated
        report.wrong += sorted(fresh)
        self.weigh(report)
        self.measure(report, [*self.struck, *((fell["promotion"], fell["at"]) for fell in fallen)])
        return report

    def weigh(self, report: Report) -> None:
        """The memory of the workers' processes: flat, whatever they went through."""
        report.memory = max((one for worker in self.stack.alive() for one in worker.memory().values()), default=0.0)
        if report.memory > MEMORY:
            report.wrong.append(f"a worker's process holds {report.memory:.0f} MB (at most {MEMORY:.0f})")

    def hit(self, pids: Iterable[int] | None = None) -> None:
        """Remember whom the fault that is just over struck: who was in the hands of these processes, or everybody who
        runs or is next."""
        from django.db import Error

        from tests.faults import world

        moment = time.clock_gettime(time.CLOCK_REALTIME)
        for _ in range(3):
            world.forget_connections()
            with contextlib.suppress(Error):
                self.struck += [(pk, moment) for pk in self.in_hand(pids)]
                return

    def in_hand(self, pids: Iterable[int] | None) -> list[int]:
        """The promotions that these processes hold; without processes: all that run, and whoever comes next in line, as
        many as the others leave room for. Those behind them wait for their turn, fault or no fault."""
        from django.db.models import Q

        from releases.models import Promotion
        from releases.queries import turns

        active = Promotion.objects.filter(status__in=("running", "verifying"))
        if pids is None:
            run = list(active.values_list("pk", "environment_id"))
            busy = {environment for _, environment in run}
            following = [turn.id for turn in turns.line() if turn.environment not in busy]
            return [*(pk for pk, _ in run), *following[: max(1, self.wanted * self.children - len(run))]]
        hands = Q(pk=None)
        for pid in pids:
            hands |= Q(lease_owner__contains=f":{pid}:")
        return list(active.filter(hands).values_list("pk", flat=True))

    def restore(self) -> None:
        """Everything is up again, and nobody is stopped."""
        from tests.faults import world

        for name in ("postgres", "valkey"):
            if not self.stack.is_up(name):
                self.stack.up(name)
        for worker in self.stack.alive():
            worker.signal(signal.SIGCONT)
        world.forget_connections()
        self.man()

    def peace(self) -> None:
        """Wait until every promotion has ended; a person looks at each one whose outcome is unknown."""
        from releases import statuses
        from releases.models import Promotion

        end = time.monotonic() + PEACE
        while time.monotonic() < end:
            self.person()
            rows = Promotion.objects.exclude(status__in=statuses.ENDED) | Promotion.objects.filter(cleanup="due")
            if not rows.exists() and not Promotion.objects.filter(status="errored").exists():
                return
            time.sleep(0.3)

    def person(self) -> None:
        """Look at the target, and say what is true: done when it serves it, else failed."""
        from phases.drivers.registry import driver
        from phases.targets import target_of
        from releases.models import Promotion

        for promotion in Promotion.objects.filter(status="errored").select_related(
            "environment__application__pipeline", "environment__phase__pipeline", "release"
        ):
            seen = driver(promotion.environment.driver).instances(target_of(promotion.environment))
            self.world.resolve(promotion, served=any(one.promotion == promotion.pk for one in seen))

    def measure(self, report: Report, struck: Iterable[tuple[int, float]]) -> None:
        """How long each struck promotion was silent after its fault."""
        for promotion, moment in struck:
            first = self.alive_after(promotion, moment)
            if first is not None:
                report.slowest = max(report.slowest, first - moment)
                report.late += first - moment > LATE + (BUSY if self.brief else 0)

    def alive_after(self, promotion: int, moment: float) -> float | None:
        """When it was first heard of after that moment; None when there was nothing left to say."""
        from releases.models import LogLine
        from relman.audit.models import Event

        since = datetime.fromtimestamp(moment, tz=UTC)
        times = [
            LogLine.objects.filter(promotion=promotion, at__gt=since)
            .order_by("at")
            .values_list("at", flat=True)
            .first(),
            Event.objects.filter(promotion_id=promotion, at__gt=since)
            .order_by("at")
            .values_list("at", flat=True)
            .first(),
        ]
        heard = [one.timestamp() for one in times if one is not None]
        return min(heard, default=None)

    def storm(
        self,
        report: Report,
        dice: random.Random,
        *,
        promotions: int,
        seconds: float,
        faults: Sequence[Callable[..., None]],
    ) -> None:
        """Ask for promotions over some seconds while these faults happen at random times, one after the other.

        Processes are started from this thread only: their lives are tied to the thread that started them.
        """
        if self.brief:
            promotions, seconds = promotions // 2, seconds / 2
            faults = dice.sample(list(faults), max(min(4, len(faults)), len(faults) // 2))
        times = sorted(dice.uniform(0, seconds) for _ in faults)
        plan = list(zip(times, dice.sample(list(faults), len(faults)), strict=True))
        clicks, others = sorted(dice.uniform(0, seconds) for _ in range(promotions)), random.Random(dice.random())
        self.enough.clear()
        with self.background(lambda: self.click(clicks, report, others)):
            try:
                self.strike(plan, report, dice)
            except BaseException:
                self.enough.set()
                raise

    def click(self, moments: Sequence[float], report: Report, dice: random.Random) -> None:
        """Ask at these times."""
        begin = time.monotonic()
        for moment in moments:
            if self.enough.wait(max(0.0, moment - (time.monotonic() - begin))):
                return
            self.ask(report, dice)

    def ask(self, report: Report, dice: random.Random) -> None:
        """One click somewhere. While the database is away there is no answer, and nothing was accepted."""
        from django.db import Error

        from tests.faults import world

        try:
            place = dice.choice(self.world.environments).pk
            report.asked += self.world.ask(place, dice) is not None
        except Error:
            world.forget_connections()

    def strike(self, plan: Sequence[tuple[float, Callable[..., None]]], report: Report, dice: random.Random) -> None:
        """The faults, each at its time (or as soon as the one before is over)."""
        begin = time.monotonic()
        for moment, fault in plan:
            time.sleep(max(0.0, moment - (time.monotonic() - begin)))
            fault(self, report, dice)

    @contextlib.contextmanager
    def background(self, work: Callable[[], None]) -> Iterator[None]:
        """Do it in a thread meanwhile; what it raises is raised here at the end."""
        raised: list[BaseException] = []

        def body() -> None:
            from django.db import connections

            try:
                work()
            except BaseException as error:
                raised.append(error)
            finally:
                connections.close_all()

        thread = threading.Thread(target=body)
        thread.start()
        try:
            yield
        finally:
            thread.join()
        if raised:
            raise raised[0]
