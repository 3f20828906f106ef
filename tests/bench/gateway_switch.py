"""What a switch of traffic costs and loses, beside its floors: `python -m tests.bench.gateway_switch [switches]`.

Steady load on one environment while its traffic is switched between two instances; the same load while Caddy's
configuration is loaded anew instead (what the slots avoid); one request through the gateway against one straight to
the application. Ends with 1 when a switch lost a request.
"""

from __future__ import annotations

import http.client
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from phases.gateway.routes import Route
from tests.phases.gatehouse import Backend, Gatehouse, Load, doorkeeper, saying

CLIENTS = 6
PAUSE = 0.02
LIVE = Route(1, "shop.live.localhost", public=True)
QA = Route(2, "shop.qa.localhost", public=False)


def main(switches: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        door, old, new = doorkeeper(), saying("old"), saying("new")
        for backend in (door, old, new):
            backend.remember = False
        house = Gatehouse(Path(folder), door.port)
        house.start()
        try:
            return measure(house, old, new, switches)
        finally:
            house.kill()


def measure(house: Gatehouse, old: Backend, new: Backend, switches: int) -> int:
    house.sync(LIVE, QA)
    house.switch(1, old)
    house.switch(2, old)
    lost = 0
    for keep in (True, False):
        load, took = under_load(house, keep, switches, lambda n: house.switch(1, *([new], [old], [old, new])[n % 3]))
        report(f"switch by rename, {'kept' if keep else 'new'} connections", load, took)
        lost += len(load.lost)
    spare = Route(3, "other.live.localhost", public=True)
    load, took = under_load(house, True, switches, lambda n: house.sync(LIVE, QA, *([spare] if n % 2 else [])))
    report("floor: configuration loaded anew (what a switch avoids)", load, took)
    latencies(house, old)
    many(house)
    print(f"requests lost by switching: {lost}")
    return 1 if lost else 0


def under_load(house: Gatehouse, keep: bool, times: int, change: Callable[[int], object]) -> tuple[Load, list[float]]:
    """The load, and the seconds that each change took."""
    took = []
    with Load(house.place.port, LIVE.host, clients=CLIENTS, keep=keep) as load:
        for number in range(times):
            started = time.perf_counter()
            change(number)
            took.append(time.perf_counter() - started)
            time.sleep(PAUSE)
    return load, took


def report(name: str, load: Load, took: list[float]) -> None:
    asked = sum(load.served.values()) + len(load.lost)
    print(
        f"{name}: {len(took)} changes under {asked} requests of {CLIENTS} clients, "
        f"lost {len(load.lost)}; each took {spread(took)}"
    )


def latencies(house: Gatehouse, old: Backend) -> None:
    """One client, one connection: straight to the application, through the gateway, and with RelMan asked."""
    house.switch(1, old)
    print(f"floor: straight to the application: {spread(one_by_one(old.port, LIVE.host))}")
    print(f"through the gateway, public phase: {spread(one_by_one(house.place.port, LIVE.host))}")
    asked = spread(one_by_one(house.place.port, QA.host))
    print(f"through the gateway, private phase (RelMan is a server that says yes): {asked}")


def one_by_one(port: int, host: str, times: int = 500) -> list[float]:
    """Seconds of each request."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    took = []
    for _ in range(times):
        started = time.perf_counter()
        connection.request("GET", "/", headers={"Host": host, "RelMan-Token": "good"})
        answer = connection.getresponse()
        answer.read()
        took.append(time.perf_counter() - started)
        if answer.status != 200:
            raise SystemExit(f"{host} answered {answer.status}")
    connection.close()
    return took


def many(house: Gatehouse) -> None:
    """The last of 800 environments, and telling Caddy about all of them."""
    more = [Route(10 + number, f"app{number}.live.localhost", public=number % 4 == 0) for number in range(800)]
    started = time.perf_counter()
    house.sync(LIVE, QA, *more)
    print(f"800 environments told to a running gateway: {(time.perf_counter() - started) * 1000:.0f} ms")
    started = time.perf_counter()
    house.sync(LIVE, QA, *more)
    print(f"the same 800 again, nothing changed: {(time.perf_counter() - started) * 1000:.0f} ms")
    last = Route(2000, "zoo.live.localhost", public=True)
    started = time.perf_counter()
    house.sync(LIVE, QA, *more, last)
    print(f"one more environment beside 800: {(time.perf_counter() - started) * 1000:.0f} ms")
    backend = saying("zoo")
    house.switch(last.environment, backend)
    print(f"through the gateway, the last of 803 environments: {spread(one_by_one(house.place.port, last.host))}")
    backend.stop()


def spread(seconds: list[float]) -> str:
    """Median and 95th percentile in milliseconds."""
    return (
        f"p50 {statistics.median(seconds) * 1000:.2f} ms, p95 {statistics.quantiles(seconds, n=20)[18] * 1000:.2f} ms"
    )


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300))
