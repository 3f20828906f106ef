"""What keeps the processes of one machine running."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relman.embedded import folders, supervisor
from relman.embedded.process import Service, StartFailed
from relman.embedded.supervisor import Interrupted, Supervisor


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def keeper(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    folders.prepare(tmp_path)
    signs = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(sign) for sign in signs]
    made = Supervisor(tmp_path, {}, said.append)
    yield made
    made.stop()
    for sign, handler in zip(signs, before, strict=True):
        signal.signal(sign, handler)


def service(name: str, script: str) -> Service:
    return Service(name, ["sh", "-c", script], ready=lambda: True, environment={"PATH": "/usr/bin:/bin"})


def watch(keeper: Supervisor, seconds: float, until: Callable[[], bool] = lambda: True) -> None:
    """Let it work that long, and on, at most a minute, until something is true."""
    begin = time.monotonic()
    while time.monotonic() - begin < seconds or not (until() or time.monotonic() - begin > 60):
        keeper.tick()


def test_a_process_that_keeps_dying_is_started_later_and_later(
    keeper: Supervisor, said: list[str], tmp_path: Path
) -> None:
    keeper.batch(service("restless", "echo again; exit 3"), service("calm", "sleep 60"))
    watch(keeper, 5, lambda: bool(said) and "keeps dying" in said[-1])
    starts = (tmp_path / "log" / "restless.log").read_text().count("again")
    assert 3 <= starts <= 5
    assert said[0] == "restless ended with code 3 and starts again."
    assert said[-1].endswith(f"it keeps dying, see {tmp_path}/log/restless.log.")
    assert not any("calm" in sentence for sentence in said)


def test_a_process_that_cannot_start_again_does_not_end_the_others(keeper: Supervisor, said: list[str]) -> None:
    once: list[int] = []

    def prepare() -> None:
        once.append(1)
        if len(once) > 1:
            raise OSError("the disk is gone")

    failing = service("failing", "sleep 0.1")
    keeper.batch(Service(**{**vars(failing), "prepare": prepare}), service("calm", "sleep 60"))
    watch(keeper, 2, lambda: bool(said) and "cannot start" in said[-1])
    assert said[-1] == "failing cannot start: the disk is gone"
    assert keeper.batches[0][1].process.poll() is None


def test_logs_stay_within_their_bound(keeper: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LOG_LIMIT", 10_000)
    keeper.batch(service("talker", "while :; do echo 0123456789012345678901234567890123456789; sleep 0.001; done"))
    watch(keeper, 2, (tmp_path / "log" / "talker.log.1").exists)
    keeper.stop()
    logs = sorted((tmp_path / "log").glob("talker*"))
    assert [log.name for log in logs] == ["talker.log", "talker.log.1"]
    assert all(log.stat().st_size < 60_000 for log in logs)


def test_one_that_ends_while_it_starts_is_a_sentence_with_its_last_words(keeper: Supervisor) -> None:
    broken = service("broken", "echo the cable is out; exit 1")
    with pytest.raises(StartFailed, match=r"broken ended while it started(.|\n)*the cable is out"):
        keeper.batch(Service(**{**vars(broken), "ready": lambda: False}))


def test_a_signal_interrupts_a_start(keeper: Supervisor) -> None:
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(Interrupted):
        keeper.batch(Service(**{**vars(service("slow", "sleep 60")), "ready": lambda: False}))


def test_what_ignores_the_polite_signal_is_killed_after_its_grace(keeper: Supervisor, tmp_path: Path) -> None:
    stubborn = service("stubborn", "trap '' TERM; echo deaf; while :; do sleep 0.1; done")
    keeper.batch(Service(**{**vars(stubborn), "grace": 0.5}))
    process = keeper.batches[0][0].process
    watch(keeper, 0, lambda: "deaf" in (tmp_path / "log" / "stubborn.log").read_text())
    keeper.stop()
    assert process.returncode == -signal.SIGKILL
