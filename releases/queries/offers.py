"""What may I do here, and if not, why: the same gate and permission functions as the verbs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from phases import configuration, permissions
from phases.models import Environment
from releases import gates
from releases.models import Promotion, Release
from releases.queries.facts import Question, facts, facts_of, rules_of
from releases.queries.lookups import live_of
from relman.actors import Actor


@dataclass(frozen=True)
class Preview:
    """What asking for a promotion would answer: whether it is possible, its kind, every verdict, and why not."""

    allowed: bool
    kind: str
    verdicts: list[gates.Verdict]
    reason: str


def verdicts_of(promotion: Promotion, reader: Actor | None = None) -> list[gates.Verdict]:
    """What the gates say of a promotion now, as the reader may know it."""
    return gates.evaluate(facts_of(promotion, reader))


def kind_of(release: Release, live: Promotion | None, *, rollback: bool) -> str:
    """Computed from what is live: the same release is a redeploy; a rollback is asked for as such."""
    if live is not None and live.release_id == release.pk:
        return "redeploy"
    return "rollback" if rollback else "deploy"


def preview(
    release: Release,
    environment: Environment,
    *,
    actor: Actor,
    allow_lower: bool = False,
    rollback: bool = False,
    snapshot: dict[str, Any] | None = None,
) -> Preview:
    """The what-if question: what would happen if the actor asked for this promotion now?

    `snapshot`: the configuration that it would run with (default: today's).
    """
    kind = kind_of(release, live_of(environment), rollback=rollback)
    question = Question(
        release=release,
        environment=environment,
        kind=kind,
        snapshot=configuration.snapshot(environment) if snapshot is None else snapshot,
        rules=[] if kind == "rollback" else rules_of(environment),
        requester=actor.user.pk if actor.user else None,
        allow_lower=allow_lower,
        reader=actor,
    )
    verdicts = gates.evaluate(facts(question))
    right = "roll_back" if kind == "rollback" else "promote"
    may = permissions.can(actor, right, environment)
    reason = "" if may else _no_right(right, environment)
    return Preview(may and gates.state_of(verdicts) != "failed", kind, verdicts, reason or gates.refusal(verdicts))


def _no_right(right: str, environment: Environment) -> str:
    roles = permissions.roles_with(right, environment.phase)
    who = f"Who may: {', '.join(roles)}." if roles else "No role has that right yet."
    return f"You may not {permissions.RIGHTS[right]} {environment.phase.name}. {who}"
