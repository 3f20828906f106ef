"""The local target walks a release from the archive to a process that serves, and back."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phases.drivers.base import LEASE_LOST, Again, Context, Errored, Failed, Fenced, Succeeded, Terminal
from phases.drivers.ledger import Fence
from phases.drivers.local import instances, processes
from tests.phases.drivers.conftest import Installation, fetch, own

Wait = Callable[[Callable[[], object]], None]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give applications a user of their own")


def test_the_plan(local: Installation) -> None:
    target = local.target(settings={"drain": 3})
    plan = local.driver.plan({"run": {}, "migrate": {"resume": "never"}}, target)
    assert [(s.kind, s.resume, s.when) for s in plan] == [
        ("unpack", "idempotent", "run"),
        ("migrate", "probe", "run"),
        ("start", "probe", "run"),
        ("retire", "idempotent", "after"),
        ("discard", "idempotent", "undo"),
    ]
    assert plan[3].parameters == {"drain": 3.0}
    assert [s.kind for s in local.driver.plan({"run": {}}, target)] == ["unpack", "start", "retire", "discard"]
    with pytest.raises(Terminal, match="1 to 12"):
        local.driver.plan({"run": {}}, local.target(instances=13))


def test_from_archive_to_a_process_that_serves_and_only_what_it_may_know(local: Installation) -> None:
    target = local.target(instances=2)
    context = local.context(target, local.package(), configuration={"GREETING": "hi 'there' $HOME", "SECRET": "s3cr3t"})
    addresses = local.deploy(context)
    probe = local.probe(context)
    assert (probe.healthy, probe.version, probe.exited) == (True, "1.0.0", False)
    assert [local.probe(context, instance=number).healthy for number in range(2)] == [True, True]
    assert len(set(addresses)) == 2
    seen = json.loads(fetch(addresses[0], "/env"))
    assert own(seen) == {
        *("PORT", "PATH", "HOME", "LANG", "GREETING", "SECRET"),
        *("RELMAN_APPLICATION", "RELMAN_PHASE", "RELMAN_VERSION"),
    }
    assert seen["GREETING"] == "hi 'there' $HOME"
    assert seen["PORT"] == addresses[0].split(":")[1]
    assert seen["HOME"] == str(local.place(target).data)
    states = [one.state for one in local.driver.instances(target)]
    assert len(states) == 2 and set(states) <= {"starting", "running"}
    assert "[1] hello from 1.0.0 s3cr3t" in local.driver.log(target, 10)
    assert local.driver.log(target, 10, context.promotion) == local.driver.log(target, 10)
    assert local.ledger(target) == ["unpacked", "started", "started"]


def test_no_secret_on_a_command_line_or_in_a_file_that_others_read(local: Installation) -> None:
    target = local.target()
    local.deploy(local.context(target, local.package(), configuration={"SECRET": "only-for-me"}))
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                assert b"only-for-me" not in Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
    held = [path for path in files_below(local.home) if b"only-for-me" in content(path)]
    assert held
    for path in held:
        assert path.stat().st_mode & 0o007 == 0
        assert path.parent.stat().st_mode & 0o077 == 0


def files_below(folder: Path) -> list[Path]:
    """All files there; whatever goes away meanwhile, since processes work in there, is left out."""
    return [Path(place, name) for place, _, names in os.walk(folder) for name in names]


def content(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.is_file() else b""
    except OSError:
        return b""


@as_root
def test_an_application_has_a_user_of_its_own_and_cannot_read_relmans_files(local: Installation) -> None:
    target, other = local.target(), local.target()
    for each in (target, other):
        address = local.deploy(local.context(each, local.package(), configuration={"SECRET": "s3cr3t"}))[0]
        local.probe(local.context(each, local.package()))
    pid = int(fetch(address, "/pid"))
    assert (
        os.stat(f"/proc/{pid}").st_uid == local.layout.user(other.environment) != local.layout.user(target.environment)
    )
    status = Path(f"/proc/{pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "Groups:\t \n" in status
    assert "CapEff:\t0000000000000000" in status
    record = instances.path_of(local.place(other), instances.records(local.place(other))[0].name)
    worker = f"/proc/{os.getpid()}/environ"
    stranger = local.place(target).release(1) / "app.py"
    data = local.place(target).data / "note"
    for path in (local.home / "keys" / "secret", record, worker, stranger, data, local.layout.socket, "/etc/shadow"):
        assert fetch(address, f"/read{path}") == "PermissionError", path
    assert fetch(address, "/write").split() == ["PermissionError"] * 3 + ["FileNotFoundError"]
    assert (local.place(other).release(1) / "beside").read_text() == "mine"
    assert (local.place(other).data / "note").read_text() == "mine"
    finding = next(f for f in local.driver.check(other) if f.name == "isolation")
    assert finding.ok and "cannot read" in finding.sentence
    (local.home / "keys").chmod(0o755)
    (local.home / "keys").chmod(0o700)


@as_root
def test_a_folder_left_open_is_found(local: Installation) -> None:
    (local.home / "keys").chmod(0o755)
    try:
        finding = next(f for f in local.driver.check(local.target()) if f.name == "isolation")
    finally:
        (local.home / "keys").chmod(0o700)
    assert not finding.ok and "keys" in finding.sentence


def test_the_checks_of_an_environment_that_is_ready(local: Installation) -> None:
    findings = {f.name: f for f in local.driver.check(local.target())}
    assert set(findings) == {"supervisor", "disk", "shell", "python", "isolation"}
    assert all(f.ok for f in findings.values()), findings
    assert "find python3 at" in findings["python"].sentence


def test_a_newer_version_takes_over_and_the_older_one_is_retired_after_a_drain(local: Installation) -> None:
    target = local.target()
    for promotion in range(1, 6):
        context = local.context(target, local.package(f"1.{promotion}.0"), promotion, parameters={"drain": 5})
        address = local.deploy(context)[0]
        local.probe(context)
        first = local.driver.run("retire", replace(context, step=9))
        if promotion > 1:
            assert isinstance(first, Again) and first.seconds == 5 and first.left == {"drained": True}
            assert len(local.driver.instances(target)) == 2
            assert local.driver.run("retire", replace(context, step=9, left=first.left)) == Succeeded(
                "Stopped 1 instance of earlier versions."
            )
        assert [one.version for one in local.driver.instances(target)] == [f"1.{promotion}.0"]
    assert fetch(address, "/version") == "1.5.0"
    assert sorted(path.name for path in local.place(target).releases.iterdir()) == ["p3", "p4", "p5"]
    assert sorted(path.name.split("-")[1] for path in local.place(target).logs.iterdir()) == ["p3", "p4", "p5"]


def test_discard_removes_what_was_begun_and_nothing_else(local: Installation) -> None:
    target = local.target()
    old = local.context(target, local.package("1.0.0"), 1)
    address = local.deploy(old)[0]
    local.probe(old)
    new = local.context(target, local.package("2.0.0"), 2)
    local.deploy(new)
    for _ in range(2):
        assert isinstance(local.driver.run("discard", replace(new, step=5)), Succeeded)
    assert fetch(address, "/version") == "1.0.0"
    assert [one.promotion for one in local.driver.instances(target)] == [1]
    assert not local.place(target).release(2).exists()
    assert local.ledger(target)[-2:] == ["stopped", "removed"]


def test_each_step_twice_has_one_effect(local: Installation) -> None:
    target = local.target()
    context = local.context(target, local.package())
    assert local.driver.probe("start", context) is None
    first, again = local.deploy(context), local.deploy(context)
    assert first == again
    assert local.driver.probe("start", context) == local.driver.run("start", replace(context, step=2))
    assert local.ledger(target) == ["unpacked", "started"]
    assert len(local.driver.instances(target)) == 1


def test_an_old_epoch_is_refused_before_anything_happens(local: Installation) -> None:
    target = local.target()
    new = local.context(target, local.package(), 2, epoch=7)
    local.driver.fence(new)
    for kind in ("unpack", "start", "retire", "discard"):
        with pytest.raises(Fenced):
            local.driver.run(kind, replace(new, epoch=6))
    assert local.ledger(target) == []
    assert Fence(local.place(target).control).epoch() == 7


def test_a_worker_that_is_replaced_while_it_unpacks_changes_nothing(
    local: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = local.target()
    clock = itertools.count()
    monkeypatch.setattr("phases.drivers.local.unpack.time.monotonic", lambda: float(next(clock)))
    context = local.context(target, local.package(), 1, epoch=1)

    def replaced() -> str | None:
        local.driver.fence(replace(context, epoch=2, stop=lambda: None))
        return None

    stop = replace(context, stop=replaced)
    with pytest.raises(Fenced):
        local.driver.run("unpack", stop)
    assert list(local.place(target).releases.glob(".*")) == []


def test_an_artifact_that_changed_is_refused(local: Installation) -> None:
    target, package = local.target(), local.package()
    package.path.write_bytes(package.path.read_bytes() + b"x")
    with pytest.raises(Terminal, match="not the one that was published"):
        local.driver.run("unpack", local.context(target, package))
    package.path.unlink()
    with pytest.raises(Terminal, match="cannot be read"):
        local.driver.run("unpack", local.context(target, package))
    assert list(local.place(target).releases.iterdir()) == []


def test_unpacking_can_be_stopped_and_leaves_nothing_half(local: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    target = local.target()
    clock = itertools.count()
    monkeypatch.setattr("phases.drivers.local.unpack.time.monotonic", lambda: float(next(clock)))
    context = local.context(target, local.package(), stop=lambda: "the worker stops")
    assert local.driver.run("unpack", context) == Again(0.0, "Stopped: the worker stops.")
    assert list(local.place(target).releases.iterdir()) == []


def test_a_process_that_dies_is_started_again(local: Installation, wait: Wait) -> None:
    context = local.context(local.target(), local.package())
    address = local.deploy(context)[0]
    local.probe(context)
    pid = int(fetch(address, "/pid"))
    os.kill(pid, signal.SIGKILL)
    wait(lambda: local.driver.instances(context.target)[0].restarts == 1)
    wait(lambda: processes.listens(int(address.split(":")[1]), [local.driver.instances(context.target)[0].pid or 0]))
    assert int(fetch(address, "/pid")) != pid
    probe = local.driver.inspect(
        context.target, local.driver.instances(context.target)[0], context.artifact.manifest, 2.0
    )
    assert probe.exited and not probe.healthy


@pytest.mark.parametrize("command", ["exit 3", "exec python3 missing.py", "no-such-command"])
def test_a_process_that_ends_at_once_is_seen_at_once(local: Installation, command: str) -> None:
    context = local.context(local.target(), local.package(command=command))
    local.deploy(context)
    probe = local.probe(context)  # up to a minute, and ends as soon as it has exited
    assert probe.exited and not probe.healthy


def test_all_children_end_also_those_that_left_the_process_group(local: Installation, wait: Wait) -> None:
    command = "sleep 1234 & setsid sleep 1235 & setsid sh -c 'sleep 1236 & exec sleep 1237' & exec python3 app.py"
    context = local.context(local.target(), local.package(command=command))
    local.deploy(context)
    local.probe(context)
    record = instances.records(local.place(context.target))[0]
    wait(lambda: len(instances.pids(local.place(context.target), record)) == 5)
    local.driver.run("discard", replace(context, step=5))
    assert instances.strays(record) == []


def test_a_port_that_somebody_else_took_is_given_up(local: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", 0))
        thief.listen()
        stolen = thief.getsockname()[1]
        ports = iter([stolen])
        honest = instances._free_port
        monkeypatch.setattr(instances, "_free_port", lambda layout: next(ports, None) or honest(layout))
        context = local.context(local.target(), local.package())
        address = local.deploy(context)[0]
        assert address != f"127.0.0.1:{stolen}"
        assert local.probe(context).healthy


def test_another_process_on_the_port_is_not_taken_for_the_application(local: Installation) -> None:
    context = local.context(local.target(), local.package(command="sleep 100"))
    address = local.deploy(context)[0]
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", int(address.split(":")[1])))
        thief.listen()
        assert "held by another process" in local.probe(context, seconds=0).sentence


def test_removing_an_environment_leaves_no_process_and_no_file(local: Installation) -> None:
    context = local.context(local.target(), local.package())
    local.deploy(context)
    pid = local.driver.instances(context.target)[0].pid
    local.driver.remove(context.target)
    assert pid is None or processes.identify(pid) is None
    assert not local.place(context.target).public.exists()
    assert local.driver.instances(context.target) == []
    local.driver.remove(context.target)
    local.driver.remove(local.target())


MIGRATE = "[migrate]\ncommand = {!r}\n"


def migration(local: Installation, command: str, more: str = "", **context: Any) -> Context:
    package = local.package(toml=MIGRATE.format(command) + more)
    made = local.context(local.target(), package, **context)
    local.driver.run("unpack", made)
    return replace(made, step=2)


def test_a_migration_runs_as_the_application_and_its_output_is_passed_on(local: Installation) -> None:
    said: list[str] = []
    command = (
        "echo one; printf '\\033[31mtwo\\033[0m\\n' >&2; id -u > $HOME/who; env | grep -c RELMAN; pwd; printf done"
    )
    context = migration(local, command, log=said.append)
    assert local.driver.run("migrate", context) == Succeeded("Migrated: done")
    assert said == ["one", "two", "3", str(local.place(context.target).release(1)), "done"]
    who = (local.place(context.target).data / "who").read_text().strip()
    assert who == str(local.layout.user(context.target.environment) or os.geteuid())
    assert local.driver.run("migrate", context) == Succeeded("Had been migrated.")
    assert local.ledger(context.target) == ["unpacked", "migrating", "migrated"]


def test_a_migration_that_fails_says_its_last_line(local: Installation) -> None:
    context = migration(local, "echo no such table >&2; exit 4")
    assert local.driver.run("migrate", context) == Failed("The migration ended with code 4: no such table")


def test_a_migration_that_hangs_is_ended_with_its_children(local: Installation) -> None:
    context = migration(
        local, "sleep 4321 & trap '' TERM; echo begun; while :; do sleep 4321; done", parameters={"timeout": 1.6}
    )
    result = local.driver.run("migrate", context)
    assert result == Failed("The migration did not end within 2 s and was stopped.")
    assert processes.strays({"HOME": str(local.place(context.target).data)}) == []


@pytest.mark.parametrize(("resume", "kind"), [("never", Errored), ("idempotent", Again)])
def test_a_migration_that_is_stopped(local: Installation, resume: str, kind: type) -> None:
    said: list[str] = []
    context = migration(local, "echo begun; sleep 4322", f"resume = '{resume}'\n", log=said.append)
    result = local.driver.run("migrate", replace(context, stop=lambda: "aborted by Ann" if said else None))
    assert isinstance(result, kind) and "aborted by Ann" in str(result)


def replaced_by(context: Context, fence: Callable[[Context], object], begun: Callable[[], object]) -> Context:
    """The same call, by a worker that somebody with epoch 9 replaces in the middle: as soon as it has `begun`."""

    def stop() -> str | None:
        if begun():
            fence(replace(context, epoch=9, stop=lambda: None))
        return None

    return replace(context, stop=stop)


def test_the_next_worker_of_the_promotion_watches_the_same_migration_to_its_end(local: Installation) -> None:
    said: list[str] = []
    context = migration(
        local,
        "echo $$ >> $HOME/ran; echo begun; while [ ! -e $HOME/go ]; do sleep 0.1; done; echo done",
        log=said.append,
    )
    with pytest.raises(Fenced):
        local.driver.run("migrate", replaced_by(context, local.driver.fence, lambda: said))
    data = local.place(context.target).data
    assert len(processes.strays({"HOME": str(data)})) > 0
    (data / "go").touch()
    assert local.driver.run("migrate", replace(context, epoch=9)) == Succeeded("Migrated: done")
    assert said == ["begun", "The migration went on meanwhile.", "done"]
    assert len((data / "ran").read_text().split()) == 1
    assert local.ledger(context.target) == ["unpacked", "migrating", "migrated"]


def test_a_migration_that_ended_while_nobody_watched_tells_how(local: Installation) -> None:
    said: list[str] = []
    waits = "while [ ! -e $HOME/go ]; do sleep 0.1; done"
    context = migration(local, f"echo begun; {waits}; echo no such table; exit 4", log=said.append)
    with pytest.raises(Fenced):
        local.driver.run("migrate", replaced_by(context, local.driver.fence, lambda: said))
    (local.place(context.target).data / "go").touch()
    until_gone(local, context)
    again = replace(context, epoch=9)
    for _ in range(2):
        assert local.driver.run("migrate", again) == Failed("The migration ended with code 4: no such table")


@pytest.mark.parametrize(("resume", "kind"), [("never", Errored), ("idempotent", Succeeded)])
def test_a_migration_whose_keeper_was_lost_too_is_asked_about(local: Installation, resume: str, kind: type) -> None:
    context = migration(local, "[ -e $HOME/ran ] || { touch $HOME/ran; sleep 4324; }", f"resume = '{resume}'\n")
    ran = local.place(context.target).data / "ran"
    with pytest.raises(Fenced):
        local.driver.run("migrate", replaced_by(context, local.driver.fence, ran.exists))
    os.kill(keeper(local, context)["pid"], signal.SIGKILL)
    until_gone(local, context)
    assert isinstance(local.driver.run("migrate", replace(context, epoch=9)), kind)
    assert processes.strays({"HOME": str(local.place(context.target).data)}) == []


def test_another_promotion_ends_the_migration_that_was_left(local: Installation) -> None:
    said: list[str] = []
    context = migration(local, "echo begun; sleep 4323", log=said.append)

    def fence(by: Context) -> None:
        local.driver.fence(replace(by, promotion=2))

    with pytest.raises(Fenced):
        local.driver.run("migrate", replaced_by(context, fence, lambda: said))
    assert processes.strays({"HOME": str(local.place(context.target).data)}) == []


def test_a_worker_that_lost_its_lease_leaves_the_migration_alone(local: Installation) -> None:
    context = migration(local, "while [ ! -e $HOME/go ]; do sleep 0.1; done; touch $HOME/ran")
    assert isinstance(local.driver.run("migrate", replace(context, stop=lambda: LEASE_LOST)), Again)
    (local.place(context.target).data / "go").touch()
    assert local.driver.run("migrate", context) == Succeeded("Migrated")
    assert (local.place(context.target).data / "ran").exists()


def keeper(local: Installation, context: Context) -> dict[str, Any]:
    """Who watches the migration on the target."""
    found = json.loads((local.place(context.target).control / "migrating.json").read_text())["process"]
    return dict(found)


def until_gone(local: Installation, context: Context) -> None:
    """Wait until the keeper has ended."""
    end = time.monotonic() + 60
    while processes.is_alive(keeper(local, context)):
        assert time.monotonic() < end, "waited a minute in vain"
        time.sleep(0.05)


def test_a_flood_of_output_is_passed_on_within_bounds(local: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phases.drivers.local.migrate.MOST_LINES", 100)
    said: list[str] = []
    command = "i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; head -c 100000 /dev/zero | tr '\\0' x"
    context = migration(local, command, log=said.append)
    assert isinstance(local.driver.run("migrate", context), Succeeded)
    assert len(said) == 100 and "left out" in said[-1]
