"""kill -9 of a worker anywhere in a promotion: the next one brings it to its end, each effect once."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from phases.drivers.base import Again, Context, Driver, Succeeded
from phases.drivers.ledger import Ledger
from phases.drivers.local import instances, processes
from tests.phases.drivers.conftest import Installation, fetch

WORKER = """
import pickle, sys
from pathlib import Path
from tests.phases.drivers.test_local_crashes import walk
from phases.drivers.local.driver import LocalDriver
print("ready", flush=True)
walk(LocalDriver(Path(sys.argv[1])), pickle.load(open(sys.argv[2], "rb")))
"""
STEPS = ("unpack", "migrate", "start", "retire")
MIGRATE = "[migrate]\ncommand = 'echo $RELMAN_VERSION >> $HOME/ran; sleep 0.4'\n"


def walk(driver: Driver, context: Context) -> None:
    """All steps of a promotion, as the engine would call them, in whatever process this is."""
    context = replace(context, log=lambda line: None, stop=lambda: None)
    driver.fence(context)
    for number, kind in enumerate(STEPS, 1):
        while isinstance(result := driver.run(kind, replace(context, step=number)), Again):
            context = replace(context, left=result.left)
        assert isinstance(result, Succeeded), result


@pytest.mark.parametrize("seed", range(int(os.environ.get("RELMAN_CRASHES", "3"))))
def test_killed_anywhere_it_ends_once(local: Installation, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    target = local.target(instances=2)
    first = local.context(target, local.package("1.0.0", toml=MIGRATE), 1, parameters={"drain": 0})
    walk(local.driver, first)
    epoch = 1
    context = replace(first, promotion=2, package=local.package("2.0.0", toml=MIGRATE))
    for _ in range(3):
        epoch += 1
        _killed_after(local, tmp_path, replace(context, epoch=epoch), chance.uniform(0.0, 1.0))
    walk(local.driver, replace(context, epoch=epoch + 1))
    assert _versions(local, context) == ["2.0.0", "2.0.0"]
    place = local.place(context.target)
    assert (place.data / "ran").read_text().split() == ["1.0.0", "2.0.0"]
    assert len(processes.strays({"HOME": str(place.data)})) == 2
    assert sorted(path.name for path in place.releases.iterdir()) == ["p1", "p2"]
    effects = _effects(local, context)
    assert set(effects.values()) == {1}, effects
    assert Counter(json.loads(effect)[1] for effect in effects) == {
        "unpacked": 2,
        "migrating": 2,
        "migrated": 2,
        "started": 4,
        "stopped": 2,
    }


def _killed_after(local: Installation, folder: Path, context: Context, seconds: float) -> None:
    """One worker of its own, that is killed that long after it began."""
    plain = replace(context, log=print, stop=os.getpid)  # type: ignore[arg-type]  # anything that can be pickled; walk replaces it
    (folder / "call").write_bytes(pickle.dumps(plain))
    command = [sys.executable, "-c", WORKER, str(local.home), str(folder / "call")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        time.sleep(seconds)
        worker.send_signal(signal.SIGKILL)


def _versions(local: Installation, context: Context) -> list[str]:
    """What the instances on record answer, once they listen; all of them belong to the new promotion."""
    place, answers = local.place(context.target), []
    for record in instances.records(place):
        assert record.promotion == 2
        end = time.monotonic() + 60
        while not processes.listens(record.port, instances.pids(place, record)):
            assert time.monotonic() < end, "waited a minute in vain"
            time.sleep(0.05)
        answers.append(fetch(record.address, "/version"))
    return answers


def _effects(local: Installation, context: Context) -> Counter[str]:
    """How often the ledger has each effect."""
    entries = Ledger(local.place(context.target).control).entries()
    return Counter(json.dumps([entry["effect"], entry["what"], entry.get("name")]) for entry in entries)
