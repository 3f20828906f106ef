"""What the local target survives: its supervisor killed, the machine rebooted, a full disk, many workers at once."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phases.drivers.base import Context, Failed, Fenced, Succeeded, Transient
from phases.drivers.ledger import Fence, Ledger, file_lock
from phases.drivers.local import installation, instances, keeper, logs, processes
from tests.installation import started
from tests.phases.drivers.conftest import Installation, fetch

Wait = Callable[[Callable[[], object]], None]


@pytest.fixture
def machine() -> Iterator[Installation]:
    """An installation of its own, since these tests kill its supervisor."""
    folder = Path(tempfile.mkdtemp(prefix="relman-drivers-"))
    folder.chmod(0o711)
    yield Installation(folder)
    installation.forget(folder)
    shutil.rmtree(folder)


def supervisor_pid(machine: Installation) -> int:
    return int((machine.layout.control / "supervisord.pid").read_text())


def kill_supervisor(machine: Installation) -> None:
    pid = supervisor_pid(machine)
    os.kill(pid, signal.SIGKILL)
    while processes.identify(pid):
        time.sleep(0.01)


def running(machine: Installation, count: int = 1) -> tuple[Context, list[str], list[str]]:
    """A deployed application, its addresses, and the process numbers that answer there."""
    context = machine.context(machine.target(instances=count), machine.package())
    addresses = machine.deploy(context)
    for instance in machine.driver.instances(context.target):
        while not machine.driver.inspect(context.target, instance, context.artifact.manifest, 2).healthy:
            time.sleep(0.05)
    return context, addresses, [fetch(address, "/pid") for address in addresses]


def test_a_killed_supervisor_comes_back_and_neither_doubles_nor_stops_anything(
    machine: Installation, wait: Wait
) -> None:
    context, addresses, pids = running(machine, 2)
    kill_supervisor(machine)
    assert [fetch(address, "/pid") for address in addresses] == pids
    assert [one.state for one in machine.driver.instances(context.target)] == ["running"] * 2
    installation.ensure_supervisor(machine.home)
    wait(lambda: [one.state for one in machine.driver.instances(context.target)] == ["running"] * 2)
    assert [fetch(address, "/pid") for address in addresses] == pids
    os.kill(int(pids[0]), signal.SIGKILL)
    wait(lambda: machine.driver.instances(context.target)[0].restarts == 1)
    wait(lambda: processes.listens(machine.driver.instances(context.target)[0].port, all_pids(machine, context)))
    assert fetch(addresses[0], "/pid") not in pids
    assert len(all_pids(machine, context)) == 2


def all_pids(machine: Installation, context: Context) -> list[int]:
    return processes.strays({"HOME": str(machine.place(context.target).data)})


def test_an_adopted_process_can_be_stopped(machine: Installation) -> None:
    context, _, pids = running(machine)
    kill_supervisor(machine)
    installation.ensure_supervisor(machine.home)
    machine.driver.run("discard", replace(context, step=5))
    assert processes.identify(int(pids[0])) is None
    assert machine.driver.instances(context.target) == []


def test_instances_can_be_stopped_while_the_supervisor_is_dead(machine: Installation) -> None:
    context, _, pids = running(machine)
    kill_supervisor(machine)
    machine.driver.run("discard", replace(context, step=5))
    assert processes.identify(int(pids[0])) is None
    installation.ensure_supervisor(machine.home)
    time.sleep(0.3)
    assert all_pids(machine, context) == []


def test_stopping_the_supervisor_stops_all_and_what_a_killed_one_left(machine: Installation) -> None:
    _, _, first = running(machine, 2)
    installation.stop_supervisor(machine.home)
    assert not any(processes.identify(int(pid)) for pid in first)
    installation.ensure_supervisor(machine.home)
    _, _, second = running(machine)
    kill_supervisor(machine)
    installation.stop_supervisor(machine.home)
    assert not any(processes.identify(int(pid)) for pid in second)
    assert not installation.supervisor_is_running(machine.home)


def test_after_a_reboot_the_record_is_brought_up(machine: Installation, wait: Wait) -> None:
    context, addresses, pids = running(machine, 2)
    kill_supervisor(machine)
    for pid in pids:
        os.kill(int(pid), signal.SIGKILL)
    assert machine.driver.restore(context.target, [context.promotion], context.epoch) == {1: addresses}
    wait(lambda: machine.probe(context).healthy)
    assert fetch(addresses[0], "/pid") not in pids


def test_nothing_is_restored_once_somebody_newer_has_been_there(machine: Installation) -> None:
    context, _, _ = running(machine)
    newer = replace(context, promotion=2, epoch=2)
    machine.deploy(newer)
    with pytest.raises(Fenced):  # whoever asks has not heard of promotion 2, and would stop it
        machine.driver.restore(context.target, [1], 1)
    assert sorted(one.promotion for one in machine.driver.instances(context.target)) == [1, 2]


def test_restoring_moves_an_instance_whose_port_was_taken_and_stops_what_is_not_wanted(machine: Installation) -> None:
    context, addresses, _pids = running(machine)
    unwanted = replace(context, promotion=2, epoch=2)
    machine.deploy(unwanted)
    kill_supervisor(machine)
    for one in machine.driver.instances(context.target):
        os.kill(one.pid or 0, signal.SIGKILL)
    port = addresses[0].split(":")[1]
    with started(["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", port]) as thief:
        while not processes.listens(int(port), [thief.pid]):
            time.sleep(0.02)
        restored = machine.driver.restore(context.target, [1], 2)
        assert list(restored) == [1] and restored[1] != addresses
        assert machine.probe(context).healthy
    assert [one.promotion for one in machine.driver.instances(context.target)] == [1]


def test_a_supervisor_in_the_foreground_is_waited_for_and_a_second_takes_over(
    machine: Installation, wait: Wait
) -> None:
    argv = installation.supervisor_argv(machine.home)
    with started(argv, start_new_session=True) as first:
        wait(lambda: installation.supervisor_is_running(machine.home))
        with started(argv, start_new_session=True) as second:
            _, addresses, pids = running(machine)
            first.kill()
            first.wait()
            installation.ensure_supervisor(machine.home)
            assert supervisor_pid(machine) == second.pid
            assert fetch(addresses[0], "/pid") == pids[0]
            second.terminate()
            assert second.wait(60) == 0
            assert processes.identify(int(pids[0])) is None


def test_an_application_that_ignores_the_polite_signal_is_ended(machine: Installation, monkeypatch: Any) -> None:
    monkeypatch.setattr("phases.drivers.local.supervisor.STOP_WAIT", 1)
    package = machine.package(command="trap '' TERM; while :; do sleep 1; done")
    context = machine.context(machine.target(), package)
    machine.deploy(context)
    machine.driver.run("discard", replace(context, step=5))
    assert all_pids(machine, context) == []


def test_many_workers_deploy_at_once_and_never_share_a_port(local: Installation) -> None:
    contexts = [local.context(local.target(instances=2), local.package()) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        addresses = [address for found in pool.map(local.deploy, contexts) for address in found]
    assert len(set(addresses)) == 8
    assert all(local.probe(context, seconds=60).healthy for context in contexts)


def test_two_workers_in_one_environment_have_one_effect(local: Installation) -> None:
    context = local.context(local.target(instances=2), local.package())
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: local.deploy(context), range(3)))
    assert results[0] == results[1] == results[2]
    assert local.ledger(context.target) == ["unpacked", "started", "started"]


def test_of_two_epochs_the_higher_wins_whatever_the_order(local: Installation) -> None:
    target = local.target()
    package = local.package()

    def refused(epoch: int) -> bool:
        try:
            local.driver.fence(local.context(target, package, epoch=epoch))
        except Fenced:
            return True
        return False

    epochs = (3, 9, 1, 7, 5, 2, 8)
    with ThreadPoolExecutor(len(epochs)) as pool:
        answers = dict(zip(epochs, pool.map(refused, epochs), strict=True))
    assert Fence(local.place(target).control).epoch() == 9
    assert not answers[9]


def test_a_full_disk_fails_the_step_leaves_nothing_half_and_works_again(local: Installation, monkeypatch: Any) -> None:
    context = local.context(local.target(), local.package())

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("phases.drivers.archive._write", full)
        result = local.driver.run("unpack", context)
    assert isinstance(result, Failed) and "disk of the target is full" in result.reason
    assert list(local.place(context.target).releases.iterdir()) == []
    assert isinstance(local.driver.run("unpack", context), Succeeded)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        ledger = Ledger(small)
        (small / "fill").write_bytes(b"x" * 50_000)
        with pytest.raises(OSError, match="No space"):
            for _ in range(10_000):
                ledger.append("started", effect="1:1", epoch=1)
        (small / "fill").unlink()
        before = len(list(ledger.entries()))
        ledger.append("after", effect="1:2", epoch=1)
        assert [entry["what"] for entry in ledger.entries()][before:] == ["after"]
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_lock_that_nobody_releases_is_given_up_with_a_sentence(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("phases.drivers.ledger.LOCK_PATIENCE", 0.1)
    with (
        file_lock(tmp_path / "lock"),
        pytest.raises(Transient, match="has been busy"),
        file_lock(tmp_path / "lock"),
    ):
        pass


def test_logs_are_kept_small_and_read_from_the_end(local: Installation, wait: Wait) -> None:
    talks = "i=0; while :; do i=$((i+1)); echo line $i; [ $((i % 2000)) -ne 0 ] || sleep 0.1; done"
    context = local.context(local.target(), local.package(command=talks))
    local.deploy(context)
    record = instances.records(local.place(context.target))[0]
    log = Path(record.log)
    wait(lambda: log.exists() and log.stat().st_size >= 50_000)
    keeper.rotate_all(local.layout.control, largest=20_000)
    assert log.with_name(f"{log.name}.1").stat().st_size > 20_000
    local.driver.run("discard", replace(context, step=5))
    lines = local.driver.log(context.target, 50)
    assert len(lines) == 50 and all(line.startswith("line ") for line in lines)


def test_the_last_words_of_one_promotion_are_its_own(local: Installation) -> None:
    place = local.layout.make_place(local.target().environment)
    for name, text in {"e3-p1-1": "old", "e3-p12-1": "one", "e3-p12-2": "two", "e3-p112-1": "later"}.items():
        (place.logs / f"{name}.log").write_text(f"{text}\n")
    assert sorted(logs.last_lines(place, 9, 12)) == ["[1] one", "[2] two"]
    assert logs.last_lines(place, 9, 1) == ["old"] and logs.last_lines(place, 9, 2) == []
    assert len(logs.last_lines(place, 9)) == 4


def test_a_process_number_that_was_given_out_again_is_not_ours() -> None:
    me = processes.identify(os.getpid())
    assert me is not None and processes.is_alive(me)
    for stranger in ({**me, "start": me["start"] - 1}, {**me, "boot": "another"}):
        assert not processes.is_alive(stranger)
        assert processes.members(stranger) == []


def test_a_home_with_a_long_name_and_odd_signs(tmp_path: Path) -> None:
    base = Path(tempfile.mkdtemp(prefix="relman-drivers-"))
    base.chmod(0o711)
    folder = base / ("a b%c'" + "x" * 90)
    folder.mkdir(mode=0o711)
    machine = Installation(folder)
    try:
        context, _, pids = running(machine)
        assert machine.driver.instances(context.target)[0].pid == int(pids[0])
    finally:
        installation.forget(folder)
        shutil.rmtree(base)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives applications users that need a way in")
def test_a_home_that_others_cannot_enter_has_its_releases_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    base = Path(tempfile.mkdtemp(prefix="relman-drivers-"))
    home, elsewhere = base / "closed" / "home", base / "open"
    home.mkdir(parents=True)
    home.parent.chmod(0o700)
    base.chmod(0o711)
    monkeypatch.setattr("phases.drivers.local.layout.ELSEWHERE", elsewhere)
    machine = Installation(home)
    try:
        context, _, _ = running(machine)
        assert machine.place(context.target).public.is_relative_to(elsewhere)
        assert next(f for f in machine.driver.check(context.target) if f.name == "isolation").ok
    finally:
        installation.forget(home)
    assert not any(elsewhere.iterdir())
    shutil.rmtree(base)


def test_what_a_forgotten_installation_left_is_not_taken_for_ours(local: Installation) -> None:
    context = local.context(local.target(), local.package())
    local.driver.run("unpack", context)
    stale = local.place(context.target).release(1) / "stale"
    stale.touch()
    shutil.rmtree(local.place(context.target).control)
    assert isinstance(local.driver.run("unpack", context), Succeeded)
    assert not stale.exists()


def test_a_home_that_was_moved_finds_its_releases_and_keeps_its_users() -> None:
    base = Path(tempfile.mkdtemp(prefix="relman-drivers-"))
    base.chmod(0o711)
    (base / "old").mkdir()
    machine = Installation(base / "old")
    context = machine.context(machine.target(), machine.package())
    machine.driver.run("unpack", context)
    user = machine.layout.user(context.target.environment)
    (base / "old").rename(base / "new")
    moved = Installation(base / "new")
    assert moved.layout.user(context.target.environment) == user
    assert (moved.place(context.target).release(1) / "app.py").is_file()
    shutil.rmtree(base)
