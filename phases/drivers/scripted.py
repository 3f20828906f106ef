"""A target that does what it is told: no-op, slow and failing steps, for tests and benchmarks.

`target.settings` (the same keys under `scripted` in the manifest win) is the script:

    steps       a number of no-op steps (default 1), or a list of mappings, one a step:
                  do        noop | sleep | fail | transient | errored | hang | again
                  seconds   sleep: how long; again: when to come back (default 0.1)
                  times     transient, again: how often before the step succeeds (default 1)
                  reason    fail, transient, errored: the sentence
                  name, resume, timeout, attempts, when, lasting    as in StepSpec
    health      ok (default) | fail | exit          what `inspect` says
    version     what `inspect` reports instead of the version that was brought
    reports     what `observe` finds instead of what was brought: a mapping of version, digest, running, stranger,
                restarts, healthy, lost; and seconds that a look takes
    upstreams   addresses that the last step leaves for the gateway (default none)
    cleanup     False: no retire and discard steps
    ledger      a folder for the ledgers, one folder inside for each environment
                (default: scripted/ in RELMAN_HOME)
    durable     False: no fence and no ledger file, for benchmarks of the engine alone
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from phases.drivers.base import (
    Again,
    Context,
    Errored,
    Expected,
    Failed,
    Finding,
    Instance,
    Observation,
    Probe,
    Result,
    StepSpec,
    Succeeded,
    Target,
    Transient,
    Unknown,
)
from phases.drivers.home import home
from phases.drivers.ledger import Fence, Ledger, file_lock
from phases.drivers.settings import number, unknown

DOING = ("noop", "sleep", "fail", "transient", "errored", "hang", "again")
SETTINGS = ("steps", "health", "version", "reports", "cleanup", "durable", "ready")
"""What may be saved. `ledger` and `upstreams` are for tests alone: a path that somebody configures would be RelMan's to
write to, and an address one where the gateway sends people."""
MOST_STEPS, LONGEST_STEP = 500, 3600.0
_NUMBERS = {"seconds": (0, LONGEST_STEP), "timeout": (0, LONGEST_STEP), "times": (0, 1000), "attempts": (1, 100)}
_SPEC = ("name", "resume", "timeout", "attempts", "when", "lasting")


class ScriptedDriver:
    """Kind `scripted`. Its ledger is as true as a real target's: one line for each effect."""

    kind = "scripted"

    def check_settings(self, settings: Mapping[str, Any]) -> Mapping[str, str]:
        """Whether the script can be read: its names, and what its steps do."""
        return {**unknown(settings, SETTINGS), **_steps_wrong(settings.get("steps", 1))}

    def plan(self, manifest: Mapping[str, Any], target: Target) -> Sequence[StepSpec]:
        """The scripted steps, and cheap clean-up steps unless `cleanup` is False."""
        script = {**target.settings, **manifest.get("scripted", {})}
        steps = script.get("steps", 1)
        lines: list[Mapping[str, Any]] = [{"do": "noop"}] * steps if isinstance(steps, int) else list(steps)
        specs = [_spec(number, line) for number, line in enumerate(lines, 1)]
        last = max((i for i, spec in enumerate(specs) if spec.when == "run"), default=None)
        if last is not None:
            specs[last] = StepSpec(**{**vars(specs[last]), "parameters": {**specs[last].parameters, "last": True}})
        if script.get("cleanup", True):
            specs.append(StepSpec("retire", "Forget earlier versions", when="after"))
            specs.append(StepSpec("discard", "Forget what was begun", when="undo"))
        return specs

    def fence(self, context: Context) -> None:
        """Tell the target the epoch. Raises Fenced when it has seen a higher one."""
        with _held(context):
            pass

    def seen(self, target: Target) -> int:
        """The highest epoch that the target has seen."""
        return Fence(_folder(target)).epoch() if _durable(target) else 0

    def run(self, kind: str, context: Context) -> Result:
        """Do one scripted step."""
        if kind in ("retire", "discard", "disown"):
            return self._clean_up(kind, context)
        if kind == "adopt":
            _effect(kind, context, last=True)
            return Succeeded("Taken over.")
        script = context.parameters
        wait = _wait(kind, context)
        if wait is not None:
            return wait
        _effect(kind, context)
        reason = str(script.get("reason") or f"Step {context.step} was told to end as {kind}.")
        if kind == "fail":
            return Failed(reason)
        if kind == "errored":
            return Errored(reason)
        return Succeeded(f"{kind} done", left=_upstreams(context) if script.get("last") else {})

    def probe(self, kind: str, context: Context) -> Result | None:
        """A step whose effect is in the ledger is done; anything else may run again."""
        if kind in ("retire", "discard") or not _durable(context.target):
            return None
        done = any(entry["effect"] == context.effect_key for entry in Ledger(_folder(context.target)).entries())
        if done and context.parameters.get("last"):
            with _held(context):
                _serve(context)
            return Succeeded("The ledger says that it is done.", left=_upstreams(context))
        return Succeeded("The ledger says that it is done.") if done else None

    def check(self, target: Target) -> Sequence[Finding]:
        """Ready, unless the setting `ready` says otherwise."""
        ready = bool(target.settings.get("ready", True))
        return [Finding("script", ready, "Follows its script." if ready else "The script says: not ready.")]

    def instances(self, target: Target) -> Sequence[Instance]:
        """One for each promotion whose last step ran and that was not forgotten."""
        return [
            Instance(f"s{target.environment}-p{key}", int(key), entry["version"], 0, None, "running", entry["since"])
            for key, entry in _state(target).items()
        ]

    def inspect(self, target: Target, instance: Instance, manifest: Mapping[str, Any], timeout: float) -> Probe:
        """What the script says about health and version."""
        script = {**target.settings, **manifest.get("scripted", {})}
        health = script.get("health", "ok")
        sentence = "Answered 200." if health == "ok" else f"The script says: {health}."
        return Probe(health == "ok", sentence, str(script.get("version", instance.version)), health == "exit")

    def observe(self, target: Target, expected: Expected, timeout: float) -> Observation:
        """What serves, as far as the script does not say otherwise."""
        script = {**target.settings, **expected.manifest.get("scripted", {})}
        state = _state(target)
        if not _durable(target) and not state:
            raise Unknown("This target keeps no record outside of the worker.")
        serving = state.get(str(expected.promotion))
        ok = script.get("health", "ok") == "ok"
        true = {
            "running": expected.instances if serving else 0,
            "version": str(script.get("version", serving["version"])) if serving else None,
            "digest": serving.get("digest") if serving else None,
            "healthy": bool(serving) and ok,
            "sentence": "Answered 200." if ok else f"The script says: {script['health']}.",
            "lost": not serving,
        }
        said = dict(script.get("reports") or {})
        time.sleep(min(float(said.pop("seconds", 0)), 60.0))
        return Observation(**{**true, **said})

    def adoption(self, target: Target) -> Sequence[StepSpec]:
        """What serves is given to the promotion, and back."""
        return [StepSpec("adopt", "Take over what runs"), StepSpec("disown", "Give it back", when="undo")]

    def log(self, target: Target, lines: int, promotion: int | None = None) -> Sequence[str]:
        """The ledger, as text."""
        if not _durable(target):
            return []
        mine = "" if promotion is None else f"{promotion}:"
        entries = Ledger(_folder(target)).entries()
        return [json.dumps(entry) for entry in entries if entry["effect"].startswith(mine)][-lines:]

    def remove(self, target: Target) -> None:
        """Forget what serves there; the ledger stays."""
        _MEMORY.pop(target.environment, None)
        if _durable(target):
            (_folder(target) / "serving.json").unlink(missing_ok=True)

    def restore(self, target: Target, wanted: Sequence[int], epoch: int) -> Mapping[int, list[str]]:
        """Nothing runs here, so there is nothing to bring up."""
        if _durable(target):
            Fence(_folder(target)).check(epoch)
        return {}

    def _clean_up(self, kind: str, context: Context) -> Result:
        mine = str(context.promotion)
        with _held(context):
            _change(context.target, lambda state: {k: v for k, v in state.items() if (k == mine) == (kind == "retire")})
        return Succeeded("done")


_MEMORY: dict[int, dict[str, dict[str, Any]]] = {}
_TRIED: dict[str, int] = {}


def _spec(number: int, line: Mapping[str, Any]) -> StepSpec:
    doing = str(line.get("do", "noop"))
    if doing not in DOING:
        raise ValueError(f"A scripted step cannot {doing!r}. It can: {', '.join(DOING)}.")
    given = {key: line[key] for key in _SPEC if key in line}
    rest = {key: value for key, value in line.items() if key not in _SPEC and key != "do"}
    if "resume" in line:
        rest["resume"] = line["resume"]
    return StepSpec(kind=doing, parameters=rest, **{"name": f"Step {number}: {doing}", **given})


def _steps_wrong(steps: Any) -> dict[str, str]:
    """What keeps the steps from being played, as one sentence."""
    lines = [{}] * min(steps, MOST_STEPS + 1) if isinstance(steps, int) and steps >= 0 else steps
    if not isinstance(lines, list) or len(lines) > MOST_STEPS:
        return {"steps": f"“steps” is a number of steps or a list of them, at most {MOST_STEPS}."}
    for place, line in enumerate(lines, 1):
        if not isinstance(line, Mapping) or line.get("do", "noop") not in DOING:
            return {"steps": f"Line {place} of “steps” does none of these: {', '.join(DOING)}."}
        for name, (least, most) in _NUMBERS.items():
            if found := number(line, name, least, most):
                return {"steps": f"Line {place} of “steps”: {found[name]}"}
    return {}


def _durable(target: Target) -> bool:
    return bool(target.settings.get("durable", True))


def _folder(target: Target) -> Path:
    base = Path(target.settings.get("ledger") or home() / "scripted")
    folder = base / str(target.environment)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _wait(kind: str, context: Context) -> Result | None:
    """The part of a step before its effect: sleeping, hanging, transient errors, coming back."""
    script = context.parameters
    if kind in ("sleep", "hang"):
        seconds = float("inf") if kind == "hang" else float(script.get("seconds", 1.0))
        reason = _sleep(seconds, context)
        return Again(0.0, f"Stopped: {reason}") if reason else None
    if kind not in ("transient", "again"):
        return None
    tried = _count(context)
    if tried > int(script.get("times", 1)):
        return None
    if kind == "transient":
        raise Transient(str(script.get("reason", f"The target was told to be busy (try {tried}).")))
    return Again(float(script.get("seconds", 0.1)), f"Not yet ({tried})")


def _sleep(seconds: float, context: Context) -> str | None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        reason = context.stop()
        if reason:
            return reason
        time.sleep(min(left, 0.1))
    return None


def _count(context: Context) -> int:
    """How often this step was tried, this time included."""
    if not _durable(context.target):
        _TRIED[context.effect_key] = _TRIED.get(context.effect_key, 0) + 1
        return _TRIED[context.effect_key]
    path = _folder(context.target) / f"tried-{context.promotion}-{context.step}"
    with path.open("a") as file:
        file.write(".")
    return path.stat().st_size


@contextmanager
def _held(context: Context) -> Iterator[None]:
    """Nobody else is at this target meanwhile, and nobody newer has been: what happens inside is one effect."""
    if not _durable(context.target):
        yield
        return
    with Fence(_folder(context.target)).held(context.epoch, context.stop):
        yield


def _effect(kind: str, context: Context, *, last: bool = False) -> None:
    """The effect, in the ledger, and the new version serves after the last one.

    An idempotent step that comes again with a key the target knows changes nothing: its line says `repeated`. Any
    other kind is done as often as it is asked for, and the ledger tells.
    """
    with _held(context):
        if _durable(context.target):
            ledger = Ledger(_folder(context.target))
            again = context.parameters.get("resume", "idempotent") == "idempotent" and any(
                entry["effect"] == context.effect_key for entry in ledger.entries()
            )
            more = {"repeated": True} if again else {}
            ledger.append(kind, effect=context.effect_key, epoch=context.epoch, pid=os.getpid(), **more)
        if (last or context.parameters.get("last")) and kind not in ("fail", "errored"):
            _serve(context)


def _upstreams(context: Context) -> dict[str, list[str]]:
    return {"upstreams": list(context.target.settings.get("upstreams", ()))}


def _serve(context: Context) -> None:
    version = context.package.version if context.package else ""
    digest = context.package.digest.removeprefix("sha256:") if context.package else ""
    entry = {"version": version, "digest": digest, "since": time.time()}
    _change(context.target, lambda state: {**state, str(context.promotion): entry})


def _state(target: Target) -> dict[str, dict[str, Any]]:
    if not _durable(target):
        return _MEMORY.get(target.environment, {})
    try:
        state: dict[str, dict[str, Any]] = json.loads((_folder(target) / "serving.json").read_text())
    except FileNotFoundError:
        return {}
    return state


def _change(target: Target, change: Any) -> None:
    if not _durable(target):
        _MEMORY[target.environment] = change(_state(target))
        return
    folder = _folder(target)
    with file_lock(folder / "serving.lock"):
        beside = folder / f".serving.{os.getpid()}"
        beside.write_text(json.dumps(change(_state(target))))
        os.replace(beside, folder / "serving.json")
