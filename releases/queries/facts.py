"""Loading what the gates need, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.urls import reverse

from phases import configuration, permissions
from phases.drivers.settings import wrong
from phases.models import Environment, Lock, Phase, Rule, User
from releases import approvals, gates, storage, versions
from releases.models import Approval, Promotion, Release
from releases.queries.ground import Stop, ground
from releases.queries.way_back import readiness
from relman.actors import Actor


@dataclass(frozen=True)
class Question:
    """A promotion as asked about: one that exists, or one that somebody thinks of."""

    release: Release
    environment: Environment
    kind: str
    snapshot: dict[str, Any]
    rules: list[dict[str, Any]]
    requester: int | None
    allow_lower: bool = False
    accept_one_way: bool = False
    not_before: datetime | None = None
    not_after: datetime | None = None
    approve_before: datetime | None = None
    promotion: int | None = None
    seal: str = ""
    at: datetime | None = None
    reader: Actor | None = None
    """Whose eyes the answer is for; None: anybody's, so that no earlier phase is named."""


def facts_of(promotion: Promotion, reader: Actor | None = None) -> gates.Facts:
    """The facts about a promotion that exists, as things are now, and as this reader may know them."""
    return facts(
        Question(
            reader=reader,
            release=promotion.release,
            environment=promotion.environment,
            kind=promotion.kind,
            snapshot=promotion.snapshot,
            rules=promotion.rules,
            requester=promotion.requested_by_id,
            allow_lower=promotion.allow_lower,
            accept_one_way=promotion.accept_one_way,
            not_before=promotion.not_before,
            not_after=promotion.not_after,
            approve_before=promotion.approve_before,
            promotion=promotion.pk,
            seal=promotion.seal,
        )
    )


def facts(question: Question) -> gates.Facts:
    """Everything that the gates may know. The number of queries does not grow with the data."""
    release, environment = question.release, question.environment
    phase, application = environment.phase, environment.application
    known = ground(release.pk, environment.pk)
    parsed = versions.parse(release.version, application.version_scheme)
    return gates.Facts(
        now=question.at or known.now,
        application=application.name,
        phase=phase.name,
        version=release.version,
        kind=question.kind,
        earlier=_earlier(known.phases, phase, application.slug, question.reader),
        succeeded_here=any(stop.reached for stop in known.phases if stop.id == phase.pk),
        live_version=known.live_version,
        lower=bool(known.live_version) and release.precedence < known.live_precedence,
        allow_lower=question.allow_lower,
        prerelease=parsed.prerelease,
        prerelease_ends=_prerelease_ends(
            known.phases, phase, application.pipeline.prerelease_until_id, question.reader
        ),
        withdrawn=release.withdrawn,
        withdrawn_reason=release.withdrawn_reason,
        artifact_problem=_artifact(release),
        missing_keys=configuration.missing(question.snapshot, _required(release)),
        not_before=question.not_before,
        not_after=question.not_after,
        approve_before=question.approve_before,
        way_back=_way_back(question),
        holds=_holds(environment) if known.locked else [],
        link_release=reverse("release", args=[application.slug, release.version]),
        link_environment=reverse("environment", args=[application.slug, phase.slug]),
        link_configuration=reverse("environment-configuration", args=[application.slug, phase.slug]),
        link_approve=reverse("approve", args=[question.promotion]) if question.promotion else "",
        **_target(question, known.errored),
        **_people(question),
    )


def _required(release: Release) -> list[str]:
    return list(release.manifest.get("configuration", {}).get("required", []))


def _artifact(release: Release) -> str:
    for artifact in release.artifacts.all():
        if said := storage.problem(artifact.digest, artifact.size, artifact.removed_at):
            return said
    return ""


def _earlier(phases: Sequence[Stop], here: Phase, application: str, reader: Actor | None) -> list[gates.Earlier]:
    """The phases before this one. Without an environment a phase is not used by the application."""
    before = [phase for phase in phases if phase.position < here.position]
    seen = permissions.access(reader) if reader else permissions.Access()
    lacking = next((phase for phase in before if not phase.optional and not phase.reached), None)
    who = _names("promote", Phase.objects.get(pk=lacking.id)) if lacking else []
    return [
        gates.Earlier(
            phase.name,
            phase.optional,
            phase.reached,
            who if phase is lacking else [],
            reverse("environment", args=[application, phase.slug])
            if phase.used
            else reverse("application", args=[application]),
            "view" in seen.within(phase.id),
        )
        for phase in before
    ]


def _prerelease_ends(phases: Sequence[Stop], here: Phase, last: int | None, reader: Actor | None) -> str:
    """The name of the phase where pre-releases stop, when this one lies behind it."""
    end = next((phase for phase in phases if phase.id == last), None)
    if end is None or here.position <= end.position:
        return ""
    return end.name if reader and "view" in permissions.access(reader).within(end.id) else gates.UNSEEN


def _holds(environment: Environment) -> list[gates.Hold]:
    scope = Q(environment=environment) | Q(phase_id=environment.phase_id)
    locks = Lock.objects.filter(scope, released_at=None).select_related("by").order_by("id")
    if not locks:
        return []
    who = [user.display for user in permissions.people_who_can("freeze", environment.phase)[:5]]
    phase = environment.phase
    whole = reverse("phase", args=[environment.application.pipeline.slug, phase.slug])
    return [
        gates.Hold(
            one.reason,
            one.by.display if one.by else "RelMan",
            str(environment) if one.environment_id else f"all of {phase.name}",
            who,
            "" if one.environment_id else whole,
            one.until,
        )
        for one in locks
    ]


def _target(question: Question, blocked: int | None) -> dict[str, Any]:
    """Whether the environment is ready, and who sees to it when it is not."""
    environment, found = question.environment, dict[str, Any]()
    problems = list(wrong(environment.driver, environment.settings).values())
    problems = problems or problems_of(environment.phase.name, environment.findings, environment.checked_at)
    found["environment_problems"] = problems
    found["blocked_by"] = blocked
    if problems or configuration.missing(question.snapshot, _required(question.release)):
        found["configurers"] = _names("configure", environment.phase)
    if blocked:
        found["resolvers"] = _names("roll_back", environment.phase)
    return found


def problems_of(phase: str, findings: Sequence[Mapping[str, Any]], checked_at: datetime | None) -> list[str]:
    """What keeps an environment from being ready, as its last check found it."""
    if checked_at is None:
        return [f"{phase} has never been checked. Open the environment and check it."]
    return [one["sentence"] for one in findings if not one["ok"]]


def _way_back(question: Question) -> gates.WayBack | None:
    """Read only where the phase asks for it, and where something else than what is live comes."""
    environment = question.environment
    if question.kind != "deploy" or not environment.phase.needs_way_back:
        return None
    found = readiness(environment, question.release)
    if found is None:
        return None
    who = _names("roll_back", environment.phase) if found.problems or found.one_way else []
    return gates.WayBack(found.last.release.version, found.problems, found.one_way, question.accept_one_way, who)


def _names(right: str, phase: Phase) -> list[str]:
    return [user.display for user in permissions.people_who_can(right, phase)[:5]]


def _people(question: Question) -> dict[str, Any]:
    """Rules, signatures on today's seal, and whose yes counts."""
    if not question.rules:
        return {}
    rules = [rule_of(rule) for rule in question.rules]
    approvers = permissions.approver_roles(question.environment.phase)
    signatures = signatures_of(question.promotion, question.seal)
    involved = {*approvers, *(signature.person for signature in signatures)}
    names = {user.pk: user.display for user in User.objects.filter(pk__in=involved)}
    barred = barred_people(question.requester, authors_of(question.release))
    return {"rules": rules, "signatures": signatures, "approvers": approvers, "names": names, "barred": barred}


def rules_of(environment: Environment) -> list[dict[str, Any]]:
    """The phase's approval rules, as they are frozen into a promotion."""
    rules = Rule.objects.filter(phase_id=environment.phase_id).select_related("role").order_by("name")
    return [
        {
            "name": rule.name,
            "role": rule.role.name,
            "role_id": rule.role_id,
            "count": rule.count,
            "allow_requester": rule.allow_requester,
            "allow_author": rule.allow_author,
            "deadline_hours": rule.deadline_hours,
        }
        for rule in rules
    ]


def rule_of(frozen: dict[str, Any]) -> approvals.Rule:
    """A frozen rule as the pure functions take it."""
    return approvals.Rule(
        frozen["name"],
        frozen["role"],
        frozen["role_id"],
        frozen["count"],
        frozen["allow_requester"],
        frozen["allow_author"],
    )


def signatures_of(promotion: int | None, seal: str) -> list[approvals.Signature]:
    """The valid decisions on this seal."""
    if promotion is None:
        return []
    valid = Approval.objects.filter(promotion=promotion, voided_at=None, seal=seal)
    return [approvals.Signature(person, decision) for person, decision in valid.values_list("person_id", "decision")]


def authors_of(release: Release) -> tuple[int | None, int | None]:
    """Whoever wrote it, and whoever published it: naming somebody else as author frees nobody."""
    return release.author_user_id, release.published_by_id


def barred_people(requester: int | None, authors: tuple[int | None, ...]) -> dict[int, str]:
    """Who may not count unless a rule says so, and why."""
    barred: dict[int, str] = {}
    if requester:
        barred[requester] = "requester"
    for author in {author for author in authors if author}:
        barred[author] = f"{barred[author]}+author" if author in barred else "author"
    return barred
