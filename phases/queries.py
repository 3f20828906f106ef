"""Reads of where releases go, and of oneself. Each asks for whom it reads; unknown and invisible are one NotFound."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, Q, QuerySet

from phases import permissions
from phases.models import Application, Component, Environment, Grant, Lock, Phase, Pipeline, Token, User
from phases.permissions import CURRENT
from relman import clock
from relman.actors import Actor
from relman.errors import Conflict, Forbidden, NotFound


def get_pipeline(actor: Actor, slug: str) -> Pipeline:
    """The pipeline of this slug."""
    return _pipeline(permissions.visible_pipelines(actor), slug)


def pipelines_seen(actor: Actor) -> QuerySet[Pipeline]:
    """The pipelines that the actor sees, each with those of its phases as `seen`."""
    seen = Prefetch("phases", permissions.visible_phases(actor).order_by("position"), to_attr="seen")
    return permissions.visible_pipelines(actor).select_related("prerelease_until").prefetch_related(seen)


def pipeline_seen(actor: Actor, slug: str) -> Pipeline:
    """The pipeline of this slug, with its phases as `seen`."""
    return _pipeline(pipelines_seen(actor), slug)


def _pipeline(pipelines: QuerySet[Pipeline], slug: str) -> Pipeline:
    found = pipelines.filter(slug=slug).first()
    if found is None:
        raise NotFound(f"There is no pipeline “{slug[:63]}” that you can see.")
    return found


def get_phase(actor: Actor, pipeline: str, slug: str) -> Phase:
    """The phase of this slug in the pipeline of that slug."""
    phases = permissions.visible_phases(actor).select_related("pipeline")
    found = phases.filter(pipeline__slug=pipeline, slug=slug).first()
    if found is None:
        raise NotFound(f"There is no phase “{slug[:63]}” in “{pipeline[:63]}” that you can see.")
    return found


def get_application(actor: Actor, slug: str) -> Application:
    """The application of this slug."""
    found = permissions.visible_applications(actor).select_related("pipeline", "owner").filter(slug=slug).first()
    if found is None:
        raise NotFound(f"There is no application “{slug[:63]}” that you can see.")
    return found


def get_phase_of(actor: Actor, application: Application, slug: str) -> Phase:
    """The phase of this slug in the application's pipeline."""
    return get_phase(actor, application.pipeline.slug, slug)


def get_environment(actor: Actor, application: str, phase: str) -> Environment:
    """The environment of this application in this phase."""
    rows = permissions.visible_environments(actor).select_related("application__pipeline", "phase__pipeline")
    found = rows.filter(application__slug=application, phase__slug=phase).first()
    if found is None:
        raise NotFound(f"There is no environment “{application[:63]}” in “{phase[:63]}” that you can see.")
    return found


def get_component(environment: Environment, number: int) -> Component:
    """One component of an environment."""
    found = environment.components.filter(pk=number).first() if number < 2**63 else None
    if found is None:
        raise NotFound()
    return found


def lock_of(where: Environment | Phase) -> Lock | None:
    """The lock that holds it now."""
    return where.locks.filter(released_at=None).select_related("environment__phase", "phase", "by").first()


def get_lock(where: Environment | Phase) -> Lock:
    """As `lock_of`; Conflict when it is not locked."""
    found = lock_of(where)
    if found is None:
        raise Conflict(f"{where} is not locked.", code="wrong_state")
    return found


def phases_of(actor: Actor, pipeline: Pipeline) -> list[Phase]:
    """The phases of a pipeline that the actor sees, in order."""
    return list(permissions.visible_phases(actor).filter(pipeline=pipeline).order_by("position"))


def pipelines_of(actor: Actor) -> list[Pipeline]:
    """The pipelines that the actor sees, by name."""
    return list(permissions.visible_pipelines(actor).order_by("name"))


def publishable(actor: Actor) -> list[Application]:
    """The applications into whose first phase the actor may publish, by name."""
    first = Phase.objects.filter(pk__in=permissions.phases_with(actor, "publish"), position=1)
    return list(permissions.visible_applications(actor).filter(pipeline__in=first.values("pipeline")).order_by("name"))


@dataclass(frozen=True)
class TokenLine:
    """A token as its owner sees it."""

    id: int
    name: str
    prefix: str
    scope: str
    expires_at: datetime | None
    last_used_at: datetime | None
    ended: bool = False


@dataclass(frozen=True)
class TokenScope:
    """What one's tokens can be limited to: never more than one has."""

    rights: list[str]
    applications: list[Application]
    phases: dict[str, Phase]
    """By pipeline/phase, in order."""


@dataclass(frozen=True)
class RoleLine:
    """A role one has, and where."""

    role: str
    where: str
    until: datetime | None


def account(actor: Actor) -> User:
    """The account that asks. Forbidden: RelMan itself has none."""
    if actor.user is None:
        raise Forbidden("Only an account has tokens.")
    return actor.user


def tokens(actor: Actor) -> QuerySet[Token]:
    """One's tokens that are not revoked; a token sees itself and those that were made with it."""
    rows = Token.objects.filter(owner=account(actor), revoked_at=None)
    return rows if actor.token is None else rows.filter(Q(pk=actor.token.pk) | Q(parent=actor.token))


def get_token(actor: Actor, number: int) -> Token:
    """One of one's own tokens."""
    found = tokens(actor).filter(pk=number).first() if number < 2**63 else None
    if found is None:
        raise NotFound("There is no such token of yours.")
    return found


def token_lines(actor: Actor) -> list[TokenLine]:
    """One's tokens in words, newest first."""
    rows = tokens(actor).order_by("-created_at").prefetch_related("applications", "phases")
    now = clock.now()
    return [
        TokenLine(
            one.pk, one.name, one.prefix, _scope(one), one.expires_at, one.last_used_at,
            ended=one.expires_at is not None and one.expires_at <= now,
        )
        for one in rows
    ]  # fmt: skip


def token_scope(actor: Actor) -> TokenScope:
    """The rights that the actor has anywhere, and the applications and phases that they see."""
    have = {right for rights in permissions.permission_map(actor).values() for right in rights}
    phases = permissions.visible_phases(actor).select_related("pipeline").order_by("pipeline__name", "position")
    return TokenScope(
        rights=[right for right in permissions.RIGHTS if right in have],
        applications=list(permissions.visible_applications(actor).order_by("name")),
        phases={f"{one.pipeline.slug}/{one.slug}": one for one in phases},
    )


def _scope(token: Token) -> str:
    said = [", ".join(right.replace("_", " ") for right in token.rights) if token.rights else "All that you may"]
    if token.limited_to_applications:
        said.append("for " + (", ".join(one.name for one in token.applications.all()) or "no application"))
    if token.limited_to_phases:
        said.append("in " + (", ".join(one.name for one in token.phases.all()) or "no phase"))
    return ", ".join(said)


def me(actor: Actor) -> dict[str, Any]:
    """Who asks, and their rights in each phase that they see, by the names of the API."""
    user, rights = account(actor), permissions.permission_map(actor)
    phases = permissions.visible_phases(actor).select_related("pipeline").order_by("pipeline__name", "position")
    return {
        "username": user.username,
        "name": user.display,
        "machine": user.machine,
        "administrator": actor.is_superuser,
        "token": actor.token,
        "applications": list(permissions.visible_applications(actor).order_by("slug").values_list("slug", flat=True)),
        "rights": [
            {"pipeline": one.pipeline.slug, "phase": one.slug, "name": one.name, "rights": sorted(rights[one.pk])}
            for one in phases
            if one.pk in rights
        ],
    }


def role_lines(user: User) -> list[RoleLine]:
    """The roles a person has now, by themselves or by a group, one line for each role, pipeline and end."""
    rows = Grant.objects.filter(CURRENT, Q(user=user) | Q(group__user=user)).select_related("role", "phase__pipeline")
    found: dict[tuple[str, str, datetime | None], list[str]] = {}
    for one in rows.order_by("role__name", "phase__pipeline__name", "phase__position"):
        names = found.setdefault((one.role.name, one.phase.pipeline.name, one.until), [])
        if one.phase.name not in names:
            names.append(one.phase.name)
    lines = [RoleLine(role, f"{where}: {', '.join(names)}", until) for (role, where, until), names in found.items()]
    return [RoleLine("Administrator", "Everywhere", None), *lines] if user.is_superuser else lines


def person_number(username: str) -> int:
    """The number of whoever has this user name; 0, which nobody has, when nobody does."""
    return User.objects.filter(username=username).values_list("pk", flat=True).first() or 0
