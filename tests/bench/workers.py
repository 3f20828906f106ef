"""What benchmarks of the engine share: a small world, and real workers on a throwaway stack."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.web import ROOT

if TYPE_CHECKING:
    from tests.factories import Shop

FIVE = {"steps": 5, "verify": False, "cleanup": False, "durable": False}
"""Five no-op steps and nothing else: what is left is the engine."""
QUIET = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"]


@contextlib.contextmanager
def worker(app: str, home: Path, *, processes: int = 2) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of this application, ready to work; ended with all its children."""
    log = home / "log" / f"{app}.log"
    options = ["--pool", "prefork", "--concurrency", str(processes), "--prefetch-multiplier", "1", *QUIET]
    command = [sys.executable, "-m", "celery", "-A", app, "worker", "-n", app, *options]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "LOG_LEVEL": "WARNING"}, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        end = time.monotonic() + 60
        while b" ready." not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"The worker does not start: {log.read_text()[-2000:]}")
            time.sleep(0.1)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def prepare(script: dict[str, Any]) -> Shop:
    """Tables and a shop whose environments follow this script."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "relman.settings"
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from tests import factories

    return factories.shop(script=script)


def more(shop: Shop, count: int, script: dict[str, Any]) -> list[Shop]:
    """So many further applications of the same people, each with an environment in dev."""
    import dataclasses

    from phases import actions as places
    from tests import factories

    made = []
    for number in range(count):
        application = places.create_application(
            shop.pipeline, actor=factories.administrator(), name=f"App {number}", slug=f"app-{number}"
        )
        one = dataclasses.replace(shop, application=application, environments={})
        one.environments["dev"] = factories.environment(one, one.phase("dev"), script)
        made.append(one)
    return made


def spread(values: list[float]) -> str:
    """Median and 95th percentile, in milliseconds."""
    ranked = sorted(values)
    return f"p50 {ranked[len(ranked) // 2] * 1000:.0f} ms, p95 {ranked[int(len(ranked) * 0.95)] * 1000:.0f} ms"
