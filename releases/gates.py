"""The gates: facts in, verdicts out. Pure. The button, the API, the start of a run and
the what-if question all call `evaluate`; no second copy of any rule exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from releases import approvals

State = Literal["passed", "waiting", "failed", "overridden"]
UNSEEN = "an earlier phase"
"""What a phase is called to people who may not see it."""


@dataclass(frozen=True)
class Verdict:
    """What one gate says: its state, why, who can clear it, when at the earliest, and where."""

    gate: str
    state: State
    reason: str
    who: list[str] = field(default_factory=list)
    earliest: datetime | None = None
    link: str = ""


@dataclass(frozen=True)
class Earlier:
    """A phase before this one, and whether the release has succeeded there."""

    name: str
    optional: bool
    reached: bool
    who: list[str] = field(default_factory=list)
    link: str = ""
    seen: bool = True
    """Whether the reader may know that it is there."""


@dataclass(frozen=True)
class Hold:
    """A lock on the environment or its phase; `link`: of the phase's page, empty: the environment's."""

    reason: str
    by: str
    scope: str
    who: list[str] = field(default_factory=list)
    link: str = ""
    until: datetime | None = None
    """When it ends by itself; None: somebody unlocks it."""


@dataclass(frozen=True)
class WayBack:
    """Whether one could return to what would be live before. `problems`: what is missing for it; `one_way`: why the
    migration that comes cannot be undone, empty: it can, or there is none; `accepted`: somebody takes that on."""

    version: str
    problems: Sequence[str] = ()
    one_way: str = ""
    accepted: bool = False
    who: Sequence[str] = ()


@dataclass(frozen=True)
class Facts:
    """All that the gates may know, loaded in a fixed number of queries."""

    now: datetime
    application: str
    phase: str
    version: str
    kind: str
    # order
    earlier: Sequence[Earlier] = ()
    succeeded_here: bool = False
    # version
    live_version: str = ""
    lower: bool = False
    allow_lower: bool = False
    prerelease: bool = False
    prerelease_ends: str = ""
    """The phase where pre-releases stop, when this one lies behind it."""
    # release and artifact
    withdrawn: str = ""
    withdrawn_reason: str = ""
    withdrawn_who: Sequence[str] = ()
    artifact_problem: str = ""
    # configuration and target
    missing_keys: Sequence[str] = ()
    configurers: Sequence[str] = ()
    environment_problems: Sequence[str] = ()
    blocked_by: int | None = None
    """An errored promotion that waits for a person's word."""
    resolvers: Sequence[str] = ()
    # approvals
    rules: Sequence[approvals.Rule] = ()
    signatures: Sequence[approvals.Signature] = ()
    approvers: Mapping[int, frozenset[int]] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    barred: Mapping[int, str] = field(default_factory=dict)
    """Person -> "requester" or "author"."""
    approve_before: datetime | None = None
    # the way back
    way_back: WayBack | None = None
    """None: the phase does not ask for one, or there is nothing to go back to."""
    # schedule and locks
    not_before: datetime | None = None
    not_after: datetime | None = None
    holds: Sequence[Hold] = ()
    # where to look
    link_release: str = ""
    link_environment: str = ""
    link_configuration: str = ""
    link_approve: str = ""


def evaluate(facts: Facts) -> list[Verdict]:
    """Every gate's verdict, in the order in which a release meets them."""
    return [verdict for gate in GATES for verdict in gate(facts)]


def state_of(verdicts: Sequence[Verdict]) -> State:
    """failed when any gate failed, waiting when any waits, else passed."""
    states = {verdict.state for verdict in verdicts}
    return "failed" if "failed" in states else "waiting" if "waiting" in states else "passed"


def refusal(verdicts: Sequence[Verdict]) -> str:
    """One sentence for a refusal: the first gate that failed, and how many more."""
    failed = [verdict for verdict in verdicts if verdict.state == "failed"]
    more = f" {len(failed) - 1} more gates refuse as well." if len(failed) > 1 else ""
    return f"The gate “{failed[0].gate}” refuses: {failed[0].reason}{more}" if failed else ""


def order(facts: Facts) -> list[Verdict]:
    """Every required earlier phase holds a success of this release, unless it was here before."""
    if facts.succeeded_here:
        return [Verdict("order", "passed", f"{facts.version} has run in {facts.phase} before.")]
    lacking = [phase for phase in facts.earlier if not phase.optional and not phase.reached]
    if not lacking:
        passed = _phases([phase for phase in facts.earlier if phase.reached])
        reason = f"It has passed {passed}." if passed else f"{facts.phase} is the first phase."
        return [Verdict("order", "passed", reason)]
    first = lacking[0]
    reason = f"{facts.application} {facts.version} has not succeeded in {_phases(lacking)} yet."
    if not first.seen:
        return [Verdict("order", "failed", reason)]
    return [Verdict("order", "failed", reason, list(first.who), None, first.link)]


def _phases(phases: Sequence[Earlier]) -> str:
    """Their names; of those that the reader may not see, only that there is an earlier one."""
    hidden = [] if all(phase.seen for phase in phases) else [UNSEEN]
    return _and([*hidden, *(phase.name for phase in phases if phase.seen)])


def version(facts: Facts) -> list[Verdict]:
    """Never down by accident; pre-releases stop where the pipeline says."""
    if facts.prerelease and facts.prerelease_ends:
        reason = f"{facts.version} is a pre-release, and pre-releases stop at {facts.prerelease_ends}."
        return [Verdict("version", "failed", reason, [], None, facts.link_release)]
    if facts.lower and facts.kind != "rollback" and not facts.allow_lower:
        reason = (
            f"{facts.phase} runs {facts.live_version}, which is newer than {facts.version}. Going down needs "
            "a rollback, or “allow a lower version” with a comment from someone who may roll back there."
        )
        return [Verdict("version", "failed", reason, [], None, facts.link_environment)]
    what = f"It replaces {facts.live_version}." if facts.live_version else f"The first release in {facts.phase}."
    return [Verdict("version", "passed", what)]


def release(facts: Facts) -> list[Verdict]:
    """Neither yanked nor quarantined."""
    if not facts.withdrawn:
        return [Verdict("release", "passed", f"{facts.version} is not withdrawn.")]
    reason = f"{facts.version} is {facts.withdrawn}: {facts.withdrawn_reason}"
    return [Verdict("release", "failed", reason, list(facts.withdrawn_who), None, facts.link_release)]


def artifact(facts: Facts) -> list[Verdict]:
    """The artifact is still there, with its size."""
    if facts.artifact_problem:
        return [Verdict("artifact", "failed", facts.artifact_problem, [], None, facts.link_release)]
    return [
        Verdict("artifact", "passed", "The artifact is stored, and its digest is checked again when it is brought.")
    ]


def configuration(facts: Facts) -> list[Verdict]:
    """All keys that the release requires are set in the environment."""
    if not facts.missing_keys:
        return [Verdict("configuration", "passed", "Every required key is set.")]
    keys = _and(list(facts.missing_keys))
    reason = f"{facts.phase} does not set {keys}, which {facts.version} requires."
    return [Verdict("configuration", "failed", reason, list(facts.configurers), None, facts.link_configuration)]


def environment(facts: Facts) -> list[Verdict]:
    """The environment is ready, and nobody has to find out what happened there."""
    link = facts.link_environment
    if facts.blocked_by:
        reason = f"Promotion {facts.blocked_by} ended with its outcome unknown; someone has to say what is true."
        return [
            Verdict("environment", "waiting", reason, list(facts.resolvers), None, f"/promotions/{facts.blocked_by}/")
        ]
    if facts.environment_problems:
        reason = " ".join(facts.environment_problems)
        return [Verdict("environment", "failed", reason, list(facts.configurers), None, link)]
    return [Verdict("environment", "passed", f"{facts.phase} is ready.", [], None, link)]


def approval(facts: Facts) -> list[Verdict]:
    """Every rule is met on its own by people who may count for it now."""
    if not facts.rules:
        return [Verdict("approvals", "passed", "No approval is needed.")]
    if any(signature.decision == "rejected" for signature in facts.signatures):
        return [Verdict("approvals", "failed", "It was rejected.", [], None, facts.link_approve)]
    standing = approvals.assign(facts.rules, facts.signatures, facts.approvers, facts.barred)
    return [_rule(facts, seat) for seat in standing]


def _rule(facts: Facts, seat: approvals.Standing) -> Verdict:
    """The verdict of one approval rule."""
    gate, link = f"approval: {seat.rule.name}", facts.link_approve
    signed = _and([facts.names.get(person, "someone") for person in seat.by])
    if seat.met:
        return Verdict(gate, "passed", f"Approved by {signed}.", [], None, link)
    who = sorted(facts.names.get(person, "someone") for person in seat.candidates)
    lack = f"{seat.missing} approval{'s' if seat.missing > 1 else ''} as {seat.rule.role}"
    given = f" {signed} has approved." if seat.by else ""
    if len(seat.candidates) < seat.missing:
        return Verdict(gate, "waiting", f"It needs {lack}, and nobody left can give it.{given}", who, None, link)
    return Verdict(gate, "waiting", f"It needs {lack}.{given}", who, None, link)


def way_back(facts: Facts) -> list[Verdict]:
    """Where the phase asks for it: the release before could come again, or somebody accepts that it could not."""
    back, link = facts.way_back, facts.link_environment
    if back is None:
        return []
    if back.problems:
        reason = f"{facts.phase} asks for a way back to {back.version}. {' '.join(back.problems)}"
        return [Verdict("way back", "failed", reason, list(back.who), None, link)]
    if not back.one_way:
        return [Verdict("way back", "passed", f"Back to {back.version} is ready.", [], None, link)]
    if back.accepted:
        return [Verdict("way back", "overridden", f"Accepted: {back.one_way}", [], None, link)]
    reason = f"{facts.phase} asks for a way back. {back.one_way} Who may roll back there can accept it, with a comment."
    return [Verdict("way back", "failed", reason, list(back.who), None, link)]


def schedule(facts: Facts) -> list[Verdict]:
    """Not before its earliest start, not after its latest."""
    if facts.not_after and facts.now > facts.not_after:
        return [Verdict("schedule", "failed", "Its latest start has passed.")]
    if facts.not_before and facts.now < facts.not_before:
        return [Verdict("schedule", "waiting", "It is scheduled for later.", [], facts.not_before)]
    return [
        Verdict("schedule", "passed", "It may start at any time." if not facts.not_before else "Its time has come.")
    ]


def lock(facts: Facts) -> list[Verdict]:
    """Nobody has locked the environment or its phase."""
    if not facts.holds:
        return [Verdict("lock", "passed", "Nothing is locked.")]
    hold = facts.holds[0]
    reason = f"{hold.by} locked {hold.scope}: {hold.reason}"
    ends = [one.until for one in facts.holds if one.until]
    earliest = max(ends) if len(ends) == len(facts.holds) else None  # one without an end: nobody knows
    return [Verdict("lock", "waiting", reason, list(hold.who), earliest, hold.link or facts.link_environment)]


GATES: Sequence[Callable[[Facts], list[Verdict]]] = (
    order,
    version,
    release,
    artifact,
    configuration,
    environment,
    approval,
    way_back,
    schedule,
    lock,
)


def _and(words: Sequence[str]) -> str:
    """a, b and c"""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
