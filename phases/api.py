"""The API of where releases go and who may do what: pipelines, applications, environments, values, oneself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from phases import actions, permissions, queries
from phases import serializers as shapes
from phases.models import Application, Environment, Phase, Pipeline, Token
from relman.actors import Actor
from relman.api import View, text
from relman.errors import Forbidden, Invalid, NotFound
from relman.schema import made, page_of


class Me(View):
    """Who asks."""

    @extend_schema(responses=shapes.Me)
    def get(self, request: Request) -> Response:
        """Who this token is, and what it may do where."""
        return Response(shapes.Me(me_shown(self.actor)).data)


class Tokens(View):
    """Your own tokens."""

    paged = True
    once_only = ("token",)

    @extend_schema(responses=page_of(shapes.TokenShown))
    def get(self, request: Request) -> Response:
        """List your tokens that are not revoked, newest first."""
        return self.page(tokens_of(self.actor), "-id", lambda row: shapes.TokenShown(row).data)

    @extend_schema(
        request=shapes.NewToken, responses={201: made(shapes.TokenMade, "`token` is shown this once: keep it safe.")}
    )
    def post(self, request: Request) -> Response:
        """Make a token for yourself."""
        said = self.read(shapes.NewToken)
        token, text = actions.issue_token(
            myself(self.actor),
            actor=self.actor,
            name=said["name"],
            rights=said.get("rights", ()),
            expires_at=said.get("expires_at"),
            **_scope(self.actor, said),
        )
        return Response(shapes.TokenMade(token, context={"text": text}).data, status=201)


class OneToken(View):
    """One of your tokens."""

    @extend_schema(responses={204: None})
    def delete(self, request: Request, number: int) -> Response:
        """Revoke a token, and all that were made with it: at once."""
        token = tokens_of(self.actor).filter(pk=number).first()
        if token is None:
            raise NotFound()
        actions.revoke_token(token, actor=self.actor)
        return Response(status=204)


class Pipelines(View):
    """The pipelines that you see."""

    paged = True

    @extend_schema(responses=page_of(shapes.PipelineShown))
    def get(self, request: Request) -> Response:
        """List pipelines by slug."""
        return self.page(pipelines(self.actor), "slug", lambda row: shapes.PipelineShown(row).data)

    @extend_schema(request=shapes.NewPipeline, responses={201: made(shapes.PipelineShown, "Made.")})
    def post(self, request: Request) -> Response:
        """Make a pipeline from a template or from phases of your own. Needs an administrator."""
        said = self.read(shapes.NewPipeline)
        if ("template" in said) == ("phases" in said):
            raise Invalid("Give either a template or phases.", fields={"template": ["Either this, or phases."]})
        layout = said["template"] if "template" in said else [_phase(one) for one in said["phases"]]
        made = actions.create_pipeline(
            layout,
            actor=self.actor,
            slug=said["slug"],
            name=said.get("name", said["slug"]),
            description=said.get("description", ""),
        )
        return Response(shapes.PipelineShown(get_pipeline(self.actor, made.slug)).data, status=201)


class OnePipeline(View):
    """One pipeline."""

    @extend_schema(responses=shapes.PipelineShown)
    def get(self, request: Request, slug: str) -> Response:
        """Read a pipeline with its phases."""
        return Response(shapes.PipelineShown(get_pipeline(self.actor, slug)).data)

    @extend_schema(request=shapes.EditPipeline, responses=shapes.PipelineShown)
    def patch(self, request: Request, slug: str) -> Response:
        """Change what is named, and nothing else. Needs the right to manage access in every phase."""
        pipeline = get_pipeline(self.actor, slug)
        said = self.read(shapes.EditPipeline)
        if "prereleases_until" in said:
            last = said.pop("prereleases_until")
            said["prereleases_everywhere"] = last is None
            said["prerelease_until"] = None if last is None else phase_of(self.actor, pipeline, last)
        actions.edit_pipeline(pipeline, actor=self.actor, **said)
        return Response(shapes.PipelineShown(get_pipeline(self.actor, slug)).data)


class OnePhase(View):
    """One phase of a pipeline."""

    @extend_schema(responses=shapes.PhaseShown)
    def get(self, request: Request, slug: str, phase: str) -> Response:
        """Read a phase: its place and its options."""
        return Response(shapes.PhaseShown(queries.get_phase(self.actor, slug, phase)).data)

    @extend_schema(request=shapes.PhaseEdited, responses=shapes.PhaseShown)
    def patch(self, request: Request, slug: str, phase: str) -> Response:
        """Change a phase's words or options; what is left out stays. Needs *manage access* there."""
        found = queries.get_phase(self.actor, slug, phase)
        changed = actions.set_phase(found, actor=self.actor, **self.read(shapes.PhaseEdited))
        return Response(shapes.PhaseShown(changed).data)


class PhaseLocked(View):
    """Hold what would start in a phase."""

    @extend_schema(request=shapes.Locking, responses={201: made(shapes.LockShown, "Locked.")})
    def post(self, request: Request, slug: str, phase: str) -> Response:
        """Lock a whole phase: promotions into it are held at their start. Needs the right to freeze."""
        found = queries.get_phase(self.actor, slug, phase)
        lock = actions.lock(found, actor=self.actor, **self.read(shapes.Locking))
        return Response(shapes.LockShown(lock).data, status=201)


class PhaseUnlocked(View):
    """Let it go on."""

    @extend_schema(request=None, responses=shapes.LockShown)
    def post(self, request: Request, slug: str, phase: str) -> Response:
        """Release the phase's lock; what it held goes on in order."""
        lock = queries.get_lock(queries.get_phase(self.actor, slug, phase))
        return Response(shapes.LockShown(actions.unlock(lock, actor=self.actor)).data)


class Applications(View):
    """The applications that you see."""

    filters = {"pipeline": text}
    paged = True

    @extend_schema(responses=page_of(shapes.ApplicationShown))
    def get(self, request: Request) -> Response:
        """List applications by slug."""
        rows = permissions.visible_applications(self.actor).select_related("pipeline", "owner")
        if "pipeline" in self.asked:
            rows = rows.filter(pipeline__slug=self.asked["pipeline"])
        return self.page(rows, "slug", lambda row: shapes.ApplicationShown(row).data)

    @extend_schema(request=shapes.NewApplication, responses={201: made(shapes.ApplicationShown, "Made.")})
    def post(self, request: Request) -> Response:
        """Make an application on a pipeline. Needs an administrator."""
        said = self.read(shapes.NewApplication)
        pipeline = get_pipeline(self.actor, said.pop("pipeline"))
        said.setdefault("name", said["slug"])
        made = actions.create_application(pipeline, actor=self.actor, **said)
        return Response(shapes.ApplicationShown(made).data, status=201)


class OneApplication(View):
    """One application."""

    @extend_schema(responses=shapes.ApplicationShown)
    def get(self, request: Request, slug: str) -> Response:
        """Read an application."""
        return Response(shapes.ApplicationShown(get_application(self.actor, slug)).data)

    @extend_schema(request=shapes.EditApplication, responses=shapes.ApplicationShown)
    def patch(self, request: Request, slug: str) -> Response:
        """Change what is named, and nothing else. Needs the right to manage access in every phase."""
        application = get_application(self.actor, slug)
        changed = actions.edit_application(application, actor=self.actor, **self.read(shapes.EditApplication))
        return Response(shapes.ApplicationShown(changed).data)


class Environments(View):
    """The environments that you see."""

    filters = {"application": text, "phase": text}
    paged = True

    @extend_schema(responses=page_of(shapes.EnvironmentMade))
    def get(self, request: Request) -> Response:
        """List environments, the newest first. What one serves: read it by its address."""
        names = {"application": "application__slug", "phase": "phase__slug"}
        rows = permissions.visible_environments(self.actor).select_related("application", "phase")
        rows = rows.filter(**{field: self.asked[name] for name, field in names.items() if name in self.asked})
        return self.page(rows, "-id", lambda row: shapes.EnvironmentMade(row).data)

    @extend_schema(request=shapes.NewEnvironment, responses={201: made(shapes.EnvironmentMade, "Made.")})
    def post(self, request: Request) -> Response:
        """Give an application a place in a phase. Needs the right to configure there."""
        said = self.read(shapes.NewEnvironment)
        application = get_application(self.actor, said.pop("application"))
        phase = get_phase(self.actor, application, said.pop("phase"))
        made = actions.create_environment(application, phase, actor=self.actor, **said)
        # The check speaks to the target: never inside a transaction.
        transaction.on_commit(lambda: actions.check_environment(made, actor=self.actor) and None, robust=True)
        return Response(shapes.EnvironmentMade(made).data, status=201)


class Check(View):
    """Whether one could deploy there."""

    @extend_schema(request=None, responses=shapes.Findings)
    def post(self, request: Request, application: str, phase: str) -> Response:
        """Ask the target whether one could deploy there now."""
        environment = get_environment(self.actor, application, phase)
        findings = actions.check_environment(environment, actor=self.actor)
        return Response(shapes.Findings({"ready": all(one.ok for one in findings), "findings": findings}).data)


class Locked(View):
    """Hold what would start there."""

    @extend_schema(request=shapes.Locking, responses={201: made(shapes.LockShown, "Locked.")})
    def post(self, request: Request, application: str, phase: str) -> Response:
        """Lock an environment: promotions into it are held at their start. Needs the right to freeze."""
        environment = get_environment(self.actor, application, phase)
        lock = actions.lock(environment, actor=self.actor, **self.read(shapes.Locking))
        return Response(shapes.LockShown(lock).data, status=201)


class Unlocked(View):
    """Let it go on."""

    @extend_schema(request=None, responses=shapes.LockShown)
    def post(self, request: Request, application: str, phase: str) -> Response:
        """Release the environment's lock; what it held goes on in order."""
        environment = get_environment(self.actor, application, phase)
        lock = environment.locks.filter(released_at=None).first()
        if lock is None:
            raise NotFound(f"{environment} is not locked.")
        return Response(shapes.LockShown(actions.unlock(lock, actor=self.actor)).data)


class Configuration(View):
    """The values of one environment."""

    @extend_schema(responses=shapes.Configuration)
    def get(self, request: Request, application: str, phase: str) -> Response:
        """Read the values. A secret's value is null: nobody can read it."""
        return Response(values_shown(get_environment(self.actor, application, phase)))

    @extend_schema(request=shapes.SetConfiguration, responses=shapes.Configuration)
    def put(self, request: Request, application: str, phase: str) -> Response:
        """Set and remove values: all that is named or nothing. The next promotion brings them there."""
        environment = get_environment(self.actor, application, phase)
        permissions.require(self.actor, "configure", environment)
        actions.set_configuration(environment, _values(self.read(shapes.SetConfiguration)), actor=self.actor)
        return Response(values_shown(environment))


def myself(actor: Actor) -> Any:
    """The account that asks."""
    if actor.user is None:
        raise Forbidden("Only an account has tokens.")
    return actor.user


def me_shown(actor: Actor) -> dict[str, Any]:
    """Who asks, and their rights in each phase that they see."""
    user, rights = myself(actor), permissions.permission_map(actor)
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


def tokens_of(actor: Actor) -> Any:
    """The tokens of whoever asks; a token sees itself and those that were made with it."""
    rows = Token.objects.filter(owner=myself(actor), revoked_at=None)
    if actor.token is not None:
        rows = rows.filter(pk=actor.token.pk) | rows.filter(parent=actor.token)
    return rows.prefetch_related("applications", "phases__pipeline")


def pipelines(actor: Actor) -> Any:
    """The visible pipelines, each with its visible phases."""
    seen = Prefetch("phases", permissions.visible_phases(actor).order_by("position"), to_attr="seen")
    return permissions.visible_pipelines(actor).select_related("prerelease_until").prefetch_related(seen)


def get_pipeline(actor: Actor, slug: str) -> Pipeline:
    """The pipeline of this slug. NotFound when it is unknown or invisible."""
    found: Pipeline | None = pipelines(actor).filter(slug=slug).first()
    if found is None:
        raise NotFound(f"There is no pipeline “{slug[:63]}” that you can see.")
    return found


def get_application(actor: Actor, slug: str) -> Application:
    """The application of this slug. NotFound as above."""
    found = permissions.visible_applications(actor).select_related("pipeline", "owner").filter(slug=slug).first()
    if found is None:
        raise NotFound(f"There is no application “{slug[:63]}” that you can see.")
    return found


def get_phase(actor: Actor, application: Application, slug: str) -> Phase:
    """The phase of an application's pipeline. NotFound as above."""
    return phase_of(actor, application.pipeline, slug)


def phase_of(actor: Actor, pipeline: Pipeline, slug: str) -> Phase:
    """The phase of a pipeline. NotFound as above."""
    found = permissions.visible_phases(actor).select_related("pipeline").filter(pipeline=pipeline, slug=slug).first()
    if found is None:
        raise NotFound(f"There is no phase “{slug[:63]}” in its pipeline that you can see.")
    return found


def get_environment(actor: Actor, application: str, phase: str) -> Environment:
    """The environment of this application in this phase. NotFound as above."""
    rows = permissions.visible_environments(actor).select_related("application__pipeline", "phase__pipeline")
    found = rows.filter(application__slug=application, phase__slug=phase).first()
    if found is None:
        raise NotFound(f"There is no environment “{application[:63]}” in “{phase[:63]}” that you can see.")
    return found


def values_shown(environment: Environment) -> Any:
    """The configuration as people may see it."""
    rows = environment.variables.select_related("updated_by").order_by("key")
    where = {"application": environment.application.slug, "phase": environment.phase.slug}
    return {**where, "values": shapes.Value(rows, many=True).data}


def _phase(said: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": said.get("name", said["slug"]), **said}


def _scope(actor: Actor, said: Mapping[str, Any]) -> dict[str, Any]:
    """The applications and phases a token is limited to, as objects that whoever asks can see."""
    scope: dict[str, Any] = {}
    if "applications" in said:
        scope["applications"] = [get_application(actor, slug) for slug in said["applications"]]
    if "phases" in said:
        scope["phases"] = [_named_phase(actor, name) for name in said["phases"]]
    return scope


def _named_phase(actor: Actor, name: str) -> Phase:
    pipeline, _, slug = name.partition("/")
    found = permissions.visible_phases(actor).filter(pipeline__slug=pipeline, slug=slug).first()
    if found is None:
        raise NotFound(f"There is no phase “{name[:127]}” that you can see. Write it as pipeline/phase.")
    return found


def _values(said: Mapping[str, Any]) -> dict[str, Any]:
    """The verb's words for what was sent: {"secret": "text"} is a secret's new value."""
    return {key: _value(one) for key, one in said["values"].items()}


def _value(one: Any) -> Any:
    if isinstance(one, Mapping) and isinstance(one.get("secret"), str):
        if set(one) != {"secret"}:
            raise Invalid("Write a secret as {“secret”: “its value”}.", fields={"values": ["Only secret."]})
        return {"value": one["secret"], "secret": True}
    return one
