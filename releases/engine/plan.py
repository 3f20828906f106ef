"""From configuration to frozen steps: what a promotion will do, and what an approval signs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from phases import configuration
from phases.drivers.base import StepSpec, Target, Terminal
from phases.drivers.registry import driver
from phases.drivers.settings import wrong
from phases.models import Environment
from phases.targets import target_of
from releases import formats
from releases.models import Promotion, Release, Step
from releases.queries.facts import rules_of

PASSES, INTERVAL, WITHIN = 3, 1.0, 30.0
"""Verification: so many passes in a row, seconds between two, seconds in all."""


@dataclass(frozen=True)
class Frozen:
    """All of a promotion that is fixed at request."""

    plan: list[dict[str, Any]]
    target: dict[str, Any]
    snapshot: dict[str, Any]
    rules: list[dict[str, Any]]
    digest: str
    seal: str


def frozen_target(promotion: Promotion) -> Target:
    """The target as it was when the promotion was frozen."""
    kept = promotion.target
    environment = promotion.environment
    return Target(
        environment.pk, environment.application.slug, environment.phase.slug, kept["instances"], kept["settings"]
    )


def build(
    release: Release, environment: Environment, *, snapshot: dict[str, Any] | None = None, kind: str = "deploy"
) -> Frozen:
    """Freeze plan, target, configuration (today's, or the given snapshot) and rules. Two queries beside the objects.

    Terminal when the environment's size or settings allow no plan: the gate *environment* says so.
    """
    digest = release.artifacts.all()[0].digest
    lines = adoption(environment) if kind == "adopt" else steps(release.manifest, environment)
    plan = [asdict(spec) for spec in lines]
    target = {
        "driver": environment.driver,
        "settings": environment.settings,
        "instances": environment.instances,
        "host": environment.host,
    }
    taken = configuration.snapshot(environment) if snapshot is None else snapshot
    return Frozen(plan, target, taken, rules_of(environment), digest, seal(digest, taken, plan, target))


def steps(manifest: Mapping[str, Any], environment: Environment) -> list[StepSpec]:
    """The driver's steps with the engine's own between them: verify, switch, and the way back of the route."""
    check(environment)
    own = list(driver(environment.driver).plan(manifest, target_of(environment)))
    ours = [] if environment.settings.get("verify") is False else _verification(environment)
    back = [StepSpec("restore", "Put the route back", when="undo")] if ours else []
    by = {when: [spec for spec in own if spec.when == when] for when in ("run", "verify", "after", "undo")}
    return [*by["run"], *by["verify"], *ours, *by["after"], *back, *by["undo"]]


def check(environment: Environment) -> None:
    """Settings that were saved before anybody judged them, or under other rules. Terminal when they cannot be used."""
    misread = wrong(environment.driver, environment.settings)
    if misread:
        raise Terminal(" ".join(misread.values()))


def adoption(environment: Environment) -> list[StepSpec]:
    """What runs becomes the record: look that it is so, take it over, look again. No process is touched."""
    own = list(driver(environment.driver).adoption(target_of(environment)))
    look = StepSpec("observe", "Look at what runs", timeout=60)
    again = StepSpec("observe", "Look again", when="verify", timeout=60, parameters={"taken": True})
    return [look, *[spec for spec in own if spec.when == "run"], again, *[one for one in own if one.when == "undo"]]


def _verification(environment: Environment) -> list[StepSpec]:
    wanted = environment.settings.get("verify") or {}
    rule = {
        "passes": int(wanted.get("passes", PASSES)),
        "interval": float(wanted.get("interval", INTERVAL)),
        "within": float(wanted.get("within", WITHIN)),
    }
    return [
        StepSpec("verify", "Check health and version", when="verify", timeout=rule["within"] + 15, parameters=rule),
        StepSpec("switch", "Move the traffic", when="verify", timeout=60),
    ]


def seal(digest: str, snapshot: Mapping[str, Any], plan: list[dict[str, Any]], target: Mapping[str, Any]) -> str:
    """SHA-256 over artifact, configuration, plan and target. A secret counts by its fingerprint."""
    content = {"artifact": digest, "configuration": configuration.digest(snapshot), "plan": plan, "target": target}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def freeze(promotion: Promotion, frozen: Frozen) -> None:
    """Set the frozen fields on a promotion (not saved)."""
    promotion.plan, promotion.target, promotion.snapshot = frozen.plan, frozen.target, frozen.snapshot
    promotion.rules = promotion.rules_read = frozen.rules
    promotion.digest, promotion.seal = frozen.digest, frozen.seal
    promotion.plan_version = formats.PLAN


def write_steps(promotion: Promotion) -> None:
    """(Re)write the rows of a promotion that has not started from its plan."""
    promotion.steps.all().delete()
    Step.objects.bulk_create(
        Step(
            promotion=promotion,
            number=number,
            kind=spec["kind"],
            name=spec["name"],
            when=spec["when"],
            resume=spec["resume"],
            timeout=spec["timeout"],
            max_attempts=spec["attempts"],
            parameters=spec["parameters"],
        )
        for number, spec in enumerate(promotion.plan, 1)
    )
