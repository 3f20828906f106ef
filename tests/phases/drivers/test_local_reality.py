"""What the local target sees when somebody changes it by hand: killed, stopped, swapped, edited."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from phases.drivers.base import Context, Expected, Observation, Package, Succeeded
from phases.drivers.ledger import Ledger
from phases.drivers.local import instances, trees
from releases import reality
from tests.phases.drivers.conftest import Installation, fetch
from tests.phases.drivers.test_samples import packed
from tests.waiting import until


def expected(context: Context) -> Expected:
    package = context.artifact
    return Expected(context.promotion, package.version, package.digest, context.target.instances, package.manifest)


def seen(local: Installation, context: Context) -> Observation:
    return local.driver.observe(context.target, expected(context), 30.0)


def kind(local: Installation, context: Context) -> str:
    found = reality.compare(expected(context), seen(local, context))
    return found.kind if found else ""


def playground(local: Installation, tmp_path: Path, version: str = "1.0.0") -> Package:
    return packed("playground", version, tmp_path)


def deployed(local: Installation, package: Package, count: int = 1) -> Context:
    """It runs, as recorded."""
    context = local.context(local.target(instances=count), package)
    local.deploy(context)
    assert until(lambda: kind(local, context) == "" and seen(local, context).healthy)
    return context


def test_what_runs_as_recorded(local: Installation, tmp_path: Path) -> None:
    context = deployed(local, playground(local, tmp_path), 2)
    found = seen(local, context)
    assert (found.running, found.version, found.digest) == (2, "1.0.0", context.artifact.digest)
    assert (list(found.changed), found.stranger, found.restarts, found.lost) == ([], "", 0, False)


def test_killed_it_is_started_again_and_that_is_no_drift_but_counted(local: Installation, tmp_path: Path) -> None:
    context = deployed(local, playground(local, tmp_path))
    os.kill(local.driver.instances(context.target)[0].pid or 0, signal.SIGKILL)
    assert until(lambda: seen(local, context).restarts == 1)
    assert until(lambda: kind(local, context) == "")
    found = seen(local, context)
    assert (found.running, found.restarts, found.lost) == (1, 1, False)


def test_stopped_by_hand_nothing_runs_and_one_of_two_is_too_few(local: Installation, tmp_path: Path) -> None:
    context = deployed(local, playground(local, tmp_path), 2)
    first, second = (one.name for one in local.driver.instances(context.target))
    local.driver._supervisor._call("stopProcess", first)
    assert until(lambda: kind(local, context) == "instances")
    local.driver._supervisor._call("stopProcess", second)
    assert until(lambda: kind(local, context) == "nothing")
    assert not seen(local, context).lost


@contextmanager
def stranger(port: int, folder: Path) -> Iterator[None]:
    """Somebody's own process on a port."""
    process = subprocess.Popen(
        ["/usr/bin/python3", "app.py"], cwd=folder, env={"PORT": str(port), "PATH": "/usr/bin:/bin"}
    )
    try:
        assert until(lambda: fetchable(port))
        yield
    finally:
        process.kill()
        process.wait()


def fetchable(port: int) -> bool:
    try:
        return bool(fetch(f"127.0.0.1:{port}", "/version"))
    except OSError:
        return False


def test_another_version_on_its_port_is_drift_and_left_alone(local: Installation, tmp_path: Path) -> None:
    context = deployed(local, playground(local, tmp_path))
    instance = local.driver.instances(context.target)[0]
    other = deployed(local, playground(local, tmp_path, "2.0.0"))
    local.driver._supervisor._call("stopProcess", instance.name)
    with stranger(instance.port, local.place(other.target).release(other.promotion)):
        found = seen(local, context)
        assert (found.version, found.running, found.lost) == ("2.0.0", 0, False)
        assert "RelMan did not start" in found.stranger
        assert kind(local, context) == "version"
    assert kind(local, context) == "nothing"


def exchange(local: Installation, context: Context, other: Context) -> None:
    """The files of another release in the folder that runs, and the process started anew."""
    folder = local.place(context.target).release(context.promotion)
    source = local.place(other.target).release(other.promotion)
    for path in filter(Path.is_file, source.iterdir()):
        shutil.copy(path, folder / path.name)
    os.kill(local.driver.instances(context.target)[0].pid or 0, signal.SIGKILL)


def test_exchanged_files_are_drift_named_and_known_by_their_digest(local: Installation, tmp_path: Path) -> None:
    context = deployed(local, playground(local, tmp_path))
    other = deployed(local, playground(local, tmp_path, "2.0.0"))
    exchange(local, context, other)
    assert until(lambda: seen(local, context).version == "2.0.0")
    found = seen(local, context)
    assert found.digest == other.artifact.digest
    assert found.changed == ["VERSION"]
    (local.place(context.target).release(context.promotion) / "VERSION").write_text("2.0.1")
    assert seen(local, context).digest == ""


def test_a_file_changed_and_changed_back_is_no_drift_in_the_end(local: Installation, tmp_path: Path) -> None:
    context = deployed(local, playground(local, tmp_path))
    path = local.place(context.target).release(context.promotion) / "app.py"
    was = path.read_bytes()
    path.write_bytes(was + b"\n# by hand\n")
    os.utime(path, ns=(0, 0))
    assert kind(local, context) == "files"
    path.write_bytes(was)
    assert kind(local, context) == ""
    (path.parent / "note").write_text("what an application writes beside its files is its own")
    assert kind(local, context) == ""
    path.unlink()
    assert kind(local, context) == "files"


def test_compiled_modules_count_only_where_the_application_cannot_rewrite_them(
    tmp_path: Path, monkeypatch: Any
) -> None:
    cache = tmp_path / "lib" / "__pycache__"
    cache.mkdir(parents=True)
    (tmp_path / "lib" / "own.py").write_text("1")
    (cache / "own.cpython-311.pyc").write_bytes(b"compiled")
    monkeypatch.setattr(trees, "is_root", lambda: True)
    assert set(trees.read(tmp_path)) == {"lib/own.py", "lib/__pycache__/own.cpython-311.pyc"}
    monkeypatch.setattr(trees, "is_root", lambda: False)
    assert set(trees.read(tmp_path)) == {"lib/own.py"}


def test_a_large_tree_is_compared_in_several_looks_that_go_on_where_the_last_one_stopped(
    local: Installation, tmp_path: Path, monkeypatch: Any
) -> None:
    context = deployed(local, playground(local, tmp_path))
    place, before = local.place(context.target), time.monotonic() - 1
    folder = place.release(context.promotion)
    for number in range(30):
        (folder / f"part-{number:02}").write_text(str(number))
    own = context.artifact.digest
    trees.note(place, folder, own, dict(sorted(trees.read(folder).items())))
    everything = len(trees.read(folder))  # without what the application compiled there meanwhile
    monkeypatch.setattr(trees, "LEAST", 20)
    changed = sorted(trees.read(folder))[25]
    (folder / changed).write_text("by hand")
    first = trees.compare(place, folder, before)
    assert (first.digest, first.changed, first.unread) == (own, (), everything - 20)
    second = trees.compare(place, folder, before)
    assert (second.digest, second.changed) == ("", [changed])
    trees.forget(place, folder)
    assert trees.compare(place, folder, time.monotonic() + 5) == trees.Compared()


def test_a_look_says_what_it_had_no_time_for(local: Installation, tmp_path: Path, monkeypatch: Any) -> None:
    context = deployed(local, playground(local, tmp_path))
    monkeypatch.setattr(trees, "LEAST", 1)
    expected = Expected(context.promotion, "1.0.0", context.artifact.digest, 1, context.artifact.manifest)
    found = local.driver.observe(context.target, expected, 0.0)
    with tarfile.open(context.artifact.path) as archive:
        brought = sum(member.isfile() for member in archive)  # what the application wrote beside them is its own
    assert (found.changed, found.unread) == ((), brought - 1)
    assert f"{found.unread} of its files were not compared yet" in found.sentence


def test_adopting_gives_what_runs_to_another_promotion_and_back(local: Installation, tmp_path: Path) -> None:
    context = deployed(local, playground(local, tmp_path))
    other = deployed(local, playground(local, tmp_path, "2.0.0"))
    exchange(local, context, other)
    assert until(lambda: seen(local, context).version == "2.0.0" and seen(local, context).running == 1)
    pid = local.driver.instances(context.target)[0].pid
    adopted = replace(context, promotion=2, epoch=2, package=other.package)
    for _ in range(2):
        assert isinstance(local.driver.run("adopt", adopted), Succeeded)
    assert kind(local, adopted) == ""
    assert [(one.promotion, one.pid) for one in local.driver.instances(context.target)] == [(2, pid)]
    assert [entry["what"] for entry in Ledger(local.place(context.target).control).entries()].count("adopted") == 1
    assert isinstance(local.driver.run("disown", replace(adopted, step=2)), Succeeded)
    assert [(one.promotion, one.version) for one in local.driver.instances(context.target)] == [(1, "1.0.0")]
    local.driver.run("adopt", replace(adopted, step=3))
    following = replace(context, promotion=3, epoch=3)
    local.deploy(following)
    local.driver.run("retire", replace(following, step=4, parameters={"drain": 0}))
    assert [one.promotion for one in local.driver.instances(context.target)] == [3]


def test_what_the_supervisor_has_forgotten_may_be_brought_back(local: Installation, tmp_path: Path) -> None:
    context = deployed(local, playground(local, tmp_path))
    record = instances.records(local.place(context.target))[0]
    local.driver._supervisor.remove(record.name, instances.run_of(local.place(context.target), record.name))
    found = seen(local, context)
    assert (found.running, found.lost) == (0, True)
    local.driver.restore(context.target, [context.promotion], context.epoch)
    assert until(lambda: kind(local, context) == "")
