"""The API of where releases go and who may do what: pipelines, applications, environments, values, oneself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from phases import actions, permissions, queries
from phases import serializers as shapes
from phases.models import Environment, Phase
from relman.actors import Actor
from relman.api import View, text
from relman.errors import Invalid, NotFound
from relman.schema import made, page_of


class Me(View):
    """Who asks."""

    @extend_schema(responses=shapes.Me)
    def get(self, request: Request) -> Response:
        """Who this token is, and what it may do where."""
        return Response(shapes.Me(queries.me(self.actor)).data)


class Tokens(View):
    """Your own tokens."""

    paged = True
    once_only = ("token",)

    @extend_schema(responses=page_of(shapes.TokenShown))
    def get(self, request: Request) -> Response:
        """List your tokens that are not revoked, newest first."""
        rows = queries.tokens(self.actor).prefetch_related("applications", "phases__pipeline")
        return self.page(rows, "-id", lambda row: shapes.TokenShown(row).data)

    @extend_schema(
        request=shapes.NewToken, responses={201: made(shapes.TokenMade, "`token` is shown this once: keep it safe.")}
    )
    def post(self, request: Request) -> Response:
        """Make a token for yourself."""
        said = self.read(shapes.NewToken)
        token, text = actions.issue_token(
            queries.account(self.actor),
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
        actions.revoke_token(queries.get_token(self.actor, number), actor=self.actor)
        return Response(status=204)


class Pipelines(View):
    """The pipelines that you see."""

    paged = True

    @extend_schema(responses=page_of(shapes.PipelineShown))
    def get(self, request: Request) -> Response:
        """List pipelines by slug."""
        return self.page(queries.pipelines_seen(self.actor), "slug", lambda row: shapes.PipelineShown(row).data)

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
        return Response(shapes.PipelineShown(queries.pipeline_seen(self.actor, made.slug)).data, status=201)


class OnePipeline(View):
    """One pipeline."""

    @extend_schema(responses=shapes.PipelineShown)
    def get(self, request: Request, slug: str) -> Response:
        """Read a pipeline with its phases."""
        return Response(shapes.PipelineShown(queries.pipeline_seen(self.actor, slug)).data)

    @extend_schema(request=shapes.EditPipeline, responses=shapes.PipelineShown)
    def patch(self, request: Request, slug: str) -> Response:
        """Change what is named, and nothing else. Needs the right to manage access in every phase."""
        pipeline = queries.get_pipeline(self.actor, slug)
        said = self.read(shapes.EditPipeline)
        if "prereleases_until" in said:
            last = said.pop("prereleases_until")
            said["prereleases_everywhere"] = last is None
            said["prerelease_until"] = None if last is None else queries.get_phase(self.actor, slug, last)
        actions.edit_pipeline(pipeline, actor=self.actor, **said)
        return Response(shapes.PipelineShown(queries.pipeline_seen(self.actor, slug)).data)


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
        pipeline = queries.get_pipeline(self.actor, said.pop("pipeline"))
        said.setdefault("name", said["slug"])
        made = actions.create_application(pipeline, actor=self.actor, **said)
        return Response(shapes.ApplicationShown(made).data, status=201)


class OneApplication(View):
    """One application."""

    @extend_schema(responses=shapes.ApplicationShown)
    def get(self, request: Request, slug: str) -> Response:
        """Read an application."""
        return Response(shapes.ApplicationShown(queries.get_application(self.actor, slug)).data)

    @extend_schema(request=shapes.EditApplication, responses=shapes.ApplicationShown)
    def patch(self, request: Request, slug: str) -> Response:
        """Change what is named, and nothing else. Needs the right to manage access in every phase."""
        application = queries.get_application(self.actor, slug)
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
        application = queries.get_application(self.actor, said.pop("application"))
        phase = queries.get_phase_of(self.actor, application, said.pop("phase"))
        made = actions.create_environment(application, phase, actor=self.actor, **said)
        # The check speaks to the target: never inside a transaction.
        transaction.on_commit(lambda: actions.check_environment(made, actor=self.actor) and None, robust=True)
        return Response(shapes.EnvironmentMade(made).data, status=201)


class Check(View):
    """Whether one could deploy there."""

    @extend_schema(request=None, responses=shapes.Findings)
    def post(self, request: Request, application: str, phase: str) -> Response:
        """Ask the target whether one could deploy there now."""
        environment = queries.get_environment(self.actor, application, phase)
        findings = actions.check_environment(environment, actor=self.actor)
        return Response(shapes.Findings({"ready": all(one.ok for one in findings), "findings": findings}).data)


class Locked(View):
    """Hold what would start there."""

    @extend_schema(request=shapes.Locking, responses={201: made(shapes.LockShown, "Locked.")})
    def post(self, request: Request, application: str, phase: str) -> Response:
        """Lock an environment: promotions into it are held at their start. Needs the right to freeze."""
        environment = queries.get_environment(self.actor, application, phase)
        lock = actions.lock(environment, actor=self.actor, **self.read(shapes.Locking))
        return Response(shapes.LockShown(lock).data, status=201)


class Unlocked(View):
    """Let it go on."""

    @extend_schema(request=None, responses=shapes.LockShown)
    def post(self, request: Request, application: str, phase: str) -> Response:
        """Release the environment's lock; what it held goes on in order."""
        lock = queries.get_lock(queries.get_environment(self.actor, application, phase))
        return Response(shapes.LockShown(actions.unlock(lock, actor=self.actor)).data)


class Configuration(View):
    """The values of one environment."""

    @extend_schema(responses=shapes.Configuration)
    def get(self, request: Request, application: str, phase: str) -> Response:
        """Read the values. A secret's value is null: nobody can read it."""
        return Response(values_shown(queries.get_environment(self.actor, application, phase)))

    @extend_schema(request=shapes.SetConfiguration, responses=shapes.Configuration)
    def put(self, request: Request, application: str, phase: str) -> Response:
        """Set and remove values: all that is named or nothing. The next promotion brings them there."""
        environment = queries.get_environment(self.actor, application, phase)
        permissions.require(self.actor, "configure", environment)
        actions.set_configuration(environment, _values(self.read(shapes.SetConfiguration)), actor=self.actor)
        return Response(values_shown(environment))


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
        scope["applications"] = [queries.get_application(actor, slug) for slug in said["applications"]]
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
