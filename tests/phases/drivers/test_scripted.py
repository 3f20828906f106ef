"""The scripted target does what it is told, and its ledger tells the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from phases.drivers.base import Again, Context, Errored, Failed, Fenced, Package, Succeeded, Target, Transient
from phases.drivers.ledger import Ledger
from phases.drivers.registry import KINDS, UnknownKind, driver
from phases.drivers.scripted import ScriptedDriver


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(7, "shop", "qa", settings={"ledger": str(tmp_path)})


def context(target: Target, step: int = 1, *, epoch: int = 1, **parameters: Any) -> Context:
    package = Package("1.2.0", Path("/nowhere"), "0" * 64, 1, {})
    return Context(target, promotion=3, epoch=epoch, step=step, package=package, parameters=parameters)


def entries(target: Target) -> list[dict[str, Any]]:
    return list(Ledger(Path(target.settings["ledger"]) / "7").entries())


def test_every_registered_kind_can_be_made() -> None:
    assert all(driver(kind).kind == kind for kind in KINDS)
    with pytest.raises(UnknownKind, match="Known: local"):
        driver("unheard-of")


def test_the_plan_follows_the_settings_and_the_manifest_wins(target: Target) -> None:
    planned = ScriptedDriver().plan(
        {"scripted": {"steps": [{"do": "fail", "resume": "never"}, {"do": "noop"}]}}, target
    )
    assert [(s.kind, s.resume, s.when) for s in planned] == [
        ("fail", "never", "run"),
        ("noop", "idempotent", "run"),
        ("retire", "idempotent", "after"),
        ("discard", "idempotent", "undo"),
    ]
    assert planned[1].parameters["last"] is True
    bare = replace(target, settings={"steps": 5, "cleanup": False})
    assert [s.kind for s in ScriptedDriver().plan({}, bare)] == ["noop"] * 5


def test_a_step_writes_one_effect_and_the_last_one_serves(target: Target) -> None:
    target = replace(target, settings={**target.settings, "upstreams": ["127.0.0.1:9"]})
    result = ScriptedDriver().run("noop", context(target, 2, last=True))
    assert result == Succeeded("noop done", left={"upstreams": ["127.0.0.1:9"]})
    assert [(e["effect"], e["what"], e["epoch"]) for e in entries(target)] == [("3:2", "noop", 1)]
    serving = ScriptedDriver().instances(target)
    assert [(i.promotion, i.version) for i in serving] == [(3, "1.2.0")]
    assert ScriptedDriver().inspect(target, serving[0], {}, 1).version == "1.2.0"


def test_after_a_crash_the_ledger_answers(target: Target) -> None:
    assert ScriptedDriver().probe("noop", context(target)) is None
    ScriptedDriver().run("noop", context(target))
    assert isinstance(ScriptedDriver().probe("noop", context(target)), Succeeded)


def test_bad_ends(target: Target) -> None:
    script = ScriptedDriver()
    assert script.run("fail", context(target, reason="no room")) == Failed("no room")
    assert isinstance(script.run("errored", context(target)), Errored)
    for _ in range(2):
        with pytest.raises(Transient):
            script.run("transient", context(target, 4, times=2))
    assert isinstance(script.run("transient", context(target, 4, times=2)), Succeeded)
    assert script.run("again", context(target, 5, seconds=2)) == Again(2.0, "Not yet (1)")
    assert isinstance(script.run("again", context(target, 5)), Succeeded)


def test_hanging_ends_when_told_to_stop(target: Target) -> None:
    stopping = replace(context(target), stop=lambda: "aborted by Ann")
    assert ScriptedDriver().run("hang", stopping) == Again(0.0, "Stopped: aborted by Ann")
    assert entries(target) == []


def test_an_old_epoch_is_refused_and_does_nothing(target: Target) -> None:
    ScriptedDriver().fence(context(target, epoch=5))
    for call in (
        lambda: ScriptedDriver().fence(context(target, epoch=4)),
        lambda: ScriptedDriver().run("noop", context(target, epoch=4)),
    ):
        with pytest.raises(Fenced, match=r"epoch 4.*seen 5"):
            call()
    assert entries(target) == []


def test_clean_up_forgets_the_others_or_oneself(target: Target) -> None:
    script = ScriptedDriver()
    for promotion in (1, 2):
        script.run("noop", replace(context(target, last=True), promotion=promotion))
    script.run("retire", replace(context(target), promotion=2))
    assert [i.promotion for i in script.instances(target)] == [2]
    script.run("discard", replace(context(target), promotion=2))
    assert script.instances(target) == []


def test_without_durability_nothing_is_written(tmp_path: Path) -> None:
    target = Target(8, "shop", "qa", settings={"ledger": str(tmp_path), "durable": False})
    ScriptedDriver().run("noop", context(target, last=True))
    assert [i.version for i in ScriptedDriver().instances(target)] == ["1.2.0"]
    assert list(tmp_path.iterdir()) == []
