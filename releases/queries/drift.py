"""Drift for pages and verbs: what differs, what can be done about it, and what that would do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from phases.models import Environment
from releases import gates, reality
from releases.models import Artifact, Promotion, Release
from releases.queries.application import open_first
from releases.queries.dialogs import supersedes
from releases.queries.facts import Question, facts, rules_of
from releases.queries.lookups import live_of
from releases.queries.progress import Estimate, usual_of
from releases.queries.shared import Named, PromotionLine
from relman.actors import Actor


@dataclass(frozen=True)
class DriftShown:
    """What differs, for the page of an environment."""

    kind: str
    text: str
    since: datetime | None
    expected: str
    version: str | None
    digest: str | None
    running: int
    changed: list[str]
    adoptable: str
    """The release that could be accepted as the record; empty: none."""
    why_not: str
    may: bool
    """Whether the reader may do something about it."""


@dataclass(frozen=True)
class DriftDialog:
    """What reverting, or adopting, would do."""

    application: Named
    phase: Named
    drift: DriftShown | None
    version: str
    """What would be live afterwards."""
    verdicts: list[gates.Verdict]
    refused: bool
    reason: str
    supersedes: list[PromotionLine]
    usual: Estimate | None


def build_of(environment: Environment, found: reality.Drift) -> reality.Build | None:
    """The release of this application that runs there, if it is one."""
    known = Artifact.objects.filter(release__application=environment.application_id)
    wanted = known.filter(digest=found.digest) if found.digest else known.filter(release__version=found.version or "")
    rows = wanted.order_by("-release__precedence").values_list("release__version", "digest")
    return reality.build_of(found, [reality.Build(*row) for row in rows[:10]])


def shown(environment: Environment, live: Promotion | None, *, may: bool) -> DriftShown | None:
    """What differs; None: nothing. Two queries where something does."""
    found = reality.of_json(environment.drift)
    if found is None or live is None:
        return None
    build = build_of(environment, found)
    refused = reality.why_not(found, build, environment.instances)
    return DriftShown(
        kind=found.kind,
        text=found.text,
        since=environment.drift_since,
        expected=live.release.version,
        version=found.version,
        digest=found.digest,
        running=found.running,
        changed=list(found.changed),
        adoptable=build.version if build and not refused else "",
        why_not=refused,
        may=may,
    )


def drift_dialog(actor: Actor, environment: Environment, verb: str) -> DriftDialog:
    """`verb`: revert or adopt. What would be asked for, what speaks against it, whose place it would take."""
    live = live_of(environment)
    found = shown(environment, live, may=True)
    question = _question(actor, environment, live, found, verb) if live and found else None
    verdicts = gates.evaluate(facts(question)) if question else []
    failed = gates.state_of(verdicts) == "failed"
    why = "" if question else found.why_not if found else "What runs is what the record says: there is no drift."
    return DriftDialog(
        application=Named.of(environment.application),
        phase=Named.of(environment.phase),
        drift=found,
        version=question.release.version if question else "",
        verdicts=[one for one in open_first(verdicts) if one.state != "passed"],
        refused=question is None or failed,
        reason=why or (gates.refusal(verdicts) if failed else ""),
        supersedes=supersedes(environment) if verb == "revert" else [],
        usual=usual_of(environment.pk) if verb == "revert" else None,
    )


def _question(actor: Actor, environment: Environment, live: Promotion, found: DriftShown, verb: str) -> Question | None:
    """What would be asked of the gates; None: what runs cannot be adopted."""
    if verb == "adopt" and not found.adoptable:
        return None
    release = live.release
    if verb == "adopt":
        release = Release.objects.get(application=environment.application_id, version=found.adoptable)
    ran = Promotion.objects.filter(environment=environment, release=release, status="succeeded").exists()
    return Question(
        release=release,
        environment=environment,
        kind="adopt" if verb == "adopt" else "redeploy",
        snapshot=live.snapshot,
        rules=[] if ran else rules_of(environment),
        requester=None,
        allow_lower=True,
        reader=actor,
    )
