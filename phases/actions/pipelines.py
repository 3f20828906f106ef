"""Verbs on pipelines, their phases, and the applications that travel them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.text import slugify

from phases import permissions, templates
from phases.models import Application, Environment, Grant, Phase, Pipeline, Role, RoleRight, Rule, User
from phases.permissions import granting, table
from phases.routing import tell_gateway
from phases.slugs import check_slug
from phases.templates import PhaseSpec, Template
from relman.actors import Actor
from relman.audit import record, recorded
from relman.errors import Conflict, Invalid
from relman.live import publish_on_commit

from .checks import changed, cleaned, member, renumber, require_team, unique


@recorded("pipeline.created")
def create_pipeline(
    layout: str | Sequence[PhaseSpec | Mapping[str, Any]], *, actor: Actor, name: str, slug: str, description: str = ""
) -> Pipeline:
    """Make a pipeline from a template's name or a list of phases, with the default roles' rights and rules.

    Needs an administrator. Nobody has a role in it yet: grant them next.
    """
    permissions.require_administrator(actor, "create pipelines")
    check_slug(slug, "A pipeline")
    template = templates.layout(layout)
    pipeline = cleaned(Pipeline(slug=slug, name=name, description=description))
    with unique(f"There is a pipeline “{slug}” already."):
        pipeline.save()
    _build(pipeline, template)
    permissions.forget(actor)
    record(
        "pipeline.created",
        actor=actor,
        subject=pipeline,
        after={"name": name, "phases": [one.slug for one in template.phases]},
        detail=f"The pipeline {name} was created: {' → '.join(one.name for one in template.phases)}.",
    )
    publish_on_commit("board")
    return pipeline


def _build(pipeline: Pipeline, template: Template) -> None:
    phases = Phase.objects.bulk_create(
        cleaned(
            Phase(
                pipeline=pipeline,
                position=position,
                slug=one.slug,
                name=one.name,
                description=one.description,
                optional=one.optional,
                public=one.public,
                in_order=one.in_order,
                auto_rollback=one.auto_rollback,
                needs_way_back=one.needs_way_back,
            )
        )
        for position, one in enumerate(template.phases, start=1)
    )
    roles = default_roles()
    kinds = table.kinds([(one.slug, one.name) for one in phases])
    for phase, kind in zip(phases, kinds, strict=True):
        _default_rights(phase, kind, roles)
    by_slug = {phase.slug: phase for phase in phases}
    Rule.objects.bulk_create(
        Rule(phase=by_slug[rule.phase], name=rule.name, role=roles[rule.role], count=rule.count)
        for rule in template.rules
    )


def default_roles() -> dict[str, Role]:
    """The default roles by slug; those that are missing are made, those that are there stay as they are."""
    Role.objects.bulk_create(
        [Role(slug=slug, name=one.name, meaning=one.meaning) for slug, one in table.ROLES.items()],
        ignore_conflicts=True,
    )
    return {role.slug: role for role in Role.objects.filter(slug__in=table.ROLES)}


def _default_rights(phase: Phase, kind: str, roles: Mapping[str, Role]) -> None:
    RoleRight.objects.bulk_create(
        RoleRight(role=role, phase=phase, right=right)
        for slug, role in roles.items()
        for right in sorted(table.default_rights(slug, kind, first=phase.position == 1))
    )


@recorded("pipeline.edited")
def edit_pipeline(
    pipeline: Pipeline,
    *,
    actor: Actor,
    name: str | None = None,
    description: str | None = None,
    prerelease_until: Phase | None = None,
    prereleases_everywhere: bool = False,
) -> Pipeline:
    """Rename a pipeline, or say which phase is the last that takes pre-releases."""
    require_team(actor, pipeline, f"change the pipeline {pipeline.name}")
    if prerelease_until and prerelease_until.pipeline_id != pipeline.pk:
        raise Invalid(
            "That phase belongs to another pipeline.", fields={"prerelease_until": ["Choose one of its own."]}
        )
    before, after = changed(pipeline, {"name": name, "description": description, "prerelease_until": prerelease_until})
    if prereleases_everywhere and pipeline.prerelease_until_id:
        before["prerelease_until"], after["prerelease_until"] = str(pipeline.prerelease_until), None
        pipeline.prerelease_until = None
    if after:
        granting.touch(pipeline.pk)
        cleaned(pipeline).save(update_fields=["name", "description", "prerelease_until"])
        record("pipeline.edited", actor=actor, subject=pipeline, before=before, after=after)
        publish_on_commit("board")
    return pipeline


@recorded("phase.created")
def add_phase(
    pipeline: Pipeline,
    *,
    actor: Actor,
    name: str,
    slug: str = "",
    position: int | None = None,
    like: Phase | None = None,
    description: str = "",
    optional: bool = False,
    public: bool = False,
    in_order: bool = False,
    auto_rollback: bool = False,
    needs_way_back: bool = False,
) -> Phase:
    """Add a phase at a position (1 is first; default: before the last one).

    `like`: another phase of the pipeline whose rights and grants it gets; without it the default rights, and nobody.
    What a release has already reached stays reached.
    """
    require_team(actor, pipeline, f"add a phase to {pipeline.name}")
    if like and like.pipeline_id != pipeline.pk:
        raise Invalid("The phase to be like belongs to another pipeline.", fields={"like": ["Choose one of its own."]})
    phase = Phase(pipeline=pipeline, slug=slug or slugify(name)[:63].strip("-"), name=name, description=description)
    phase.optional, phase.public, phase.in_order = optional, public, in_order
    phase.auto_rollback, phase.needs_way_back = auto_rollback, needs_way_back
    _insert(phase, position, like, actor)
    permissions.forget(actor)
    after = {"position": phase.position, "like": like.slug if like else None, "public": public, "optional": optional}
    detail = f"The phase {name} was added to {pipeline.name}."
    record("phase.created", actor=actor, subject=phase, after=after, detail=detail)
    publish_on_commit("board")
    return phase


def _insert(phase: Phase, position: int | None, like: Phase | None, actor: Actor) -> None:
    pipeline = phase.pipeline
    check_slug(phase.slug, "A phase")
    granting.touch(pipeline.pk)
    phases = list(pipeline.phases.order_by("position"))
    if len(phases) >= templates.PHASES_MOST:
        raise Conflict(f"{pipeline.name} has {len(phases)} phases, which is the most a pipeline can have.")
    index = _index(position, len(phases) + 1, default=max(len(phases), 1))
    phase.position = len(phases) + 1
    with unique(f"{pipeline.name} has a phase “{phase.slug}” already."):
        cleaned(phase).save()
    _rights_of_new(phase, index, phases, like, actor)
    _reorder(pipeline, [*phases[:index], phase, *phases[index:]])


def _index(position: int | None, count: int, *, default: int) -> int:
    wanted = default if position is None else position
    if not 1 <= wanted <= count:
        said = f"Choose a position from 1 to {count}."
        raise Invalid(said, fields={"position": [said]})
    return wanted - 1


def _rights_of_new(phase: Phase, index: int, others: Sequence[Phase], like: Phase | None, actor: Actor) -> None:
    if like is None:
        _default_rights(phase, table.kind_of(phase.slug, phase.name, index, len(others) + 1), default_roles())
        return
    boxes = RoleRight.objects.filter(phase=like).exclude(right="publish").values_list("role_id", "right")
    RoleRight.objects.bulk_create(RoleRight(phase=phase, role_id=role, right=right) for role, right in boxes)
    grants = [
        Grant(phase=phase, role_id=one.role_id, user_id=one.user_id, group_id=one.group_id, until=one.until,
              granted_by=actor.user)
        for one in Grant.objects.filter(permissions.CURRENT, phase=like)
    ]  # fmt: skip
    granting.derive(phase, Grant.objects.bulk_create(grants))


def _reorder(pipeline: Pipeline, phases: list[Phase]) -> None:
    """Write the new order; the right to publish stays with whatever phase is first."""
    old = RoleRight.objects.filter(phase__pipeline=pipeline, right="publish")
    first = phases[0]
    holders = set(old.values_list("role_id", flat=True))
    renumber(phases)
    moved = set(old.exclude(phase=first).values_list("phase_id", flat=True))
    if not moved:
        return
    old.exclude(phase=first).delete()
    have = set(RoleRight.objects.filter(phase=first, right="publish").values_list("role_id", flat=True))
    RoleRight.objects.bulk_create(RoleRight(phase=first, role_id=role, right="publish") for role in holders - have)
    for phase in Phase.objects.filter(pk__in={*moved, first.pk}):
        granting.derive(phase, Grant.objects.filter(phase=phase))


@recorded("phase.moved")
def move_phase(phase: Phase, position: int, *, actor: Actor) -> Phase:
    """Put a phase at another place of its pipeline; 1 is first."""
    require_team(actor, phase.pipeline, f"reorder the phases of {phase.pipeline.name}")
    granting.touch(phase.pipeline_id)
    phases = list(phase.pipeline.phases.order_by("position"))
    index = _index(position, len(phases), default=1)
    before = [one.slug for one in phases]
    others = [one for one in phases if one.pk != phase.pk]
    ordered = [*others[:index], phase, *others[index:]]
    phase.position = next(one.position for one in phases if one.pk == phase.pk)
    after = [one.slug for one in ordered]
    if before == after:
        return phase
    _reorder(phase.pipeline, ordered)
    permissions.forget(actor)
    record("phase.moved", actor=actor, subject=phase, before={"order": before}, after={"order": after})
    publish_on_commit("board")
    return phase


@recorded("phase.edited")
def set_phase(
    phase: Phase,
    *,
    actor: Actor,
    name: str | None = None,
    slug: str | None = None,
    description: str | None = None,
    optional: bool | None = None,
    public: bool | None = None,
    in_order: bool | None = None,
    auto_rollback: bool | None = None,
    needs_way_back: bool | None = None,
) -> Phase:
    """Change a phase's name or flags. Needs *manage access* there. The short name only while no environment uses it."""
    permissions.require(actor, "manage_access", phase)
    if slug is not None and slug != phase.slug:
        check_slug(slug, "A phase")
        if phase.environments.exists():
            raise Conflict(f"The addresses of {phase.name} carry its short name: it stays while environments exist.")
    given = {"name": name, "slug": slug, "description": description}
    flags = {"optional": optional, "public": public, "in_order": in_order, "auto_rollback": auto_rollback}
    flags["needs_way_back"] = needs_way_back
    before, after = changed(phase, {**given, **flags})
    if not after:
        return phase
    granting.touch(phase.pipeline_id)
    with unique(f"{phase.pipeline.name} has a phase “{phase.slug}” already."):
        cleaned(phase).save(update_fields=[*given, *flags])
    if "public" in after:
        tell_gateway(Environment.objects.filter(phase=phase).select_related("application", "phase"))
    record("phase.edited", actor=actor, subject=phase, before=before, after=after, detail=_said(phase, after))
    publish_on_commit("board")
    return phase


def _said(phase: Phase, after: Mapping[str, Any]) -> str:
    if "public" in after:
        whom = "open to everybody" if after["public"] else "only for who may open them"
        return f"The addresses of {phase.name} are now {whom}."
    return f"The phase {phase.name} was changed: {', '.join(after)}."


def rename_phase(phase: Phase, name: str, *, actor: Actor) -> Phase:
    """Give a phase another name; its addresses stay."""
    return set_phase(phase, actor=actor, name=name)


@recorded("phase.removed")
def remove_phase(phase: Phase, *, actor: Actor) -> None:
    """Take a phase out of its pipeline. Refused while environments exist in it, and for the only phase."""
    require_team(actor, phase.pipeline, f"remove a phase from {phase.pipeline.name}")
    granting.touch(phase.pipeline_id)
    count = phase.environments.count()
    if count:
        raise Conflict(f"{phase.name} has {count} environments: remove them first, then the phase.")
    others = list(phase.pipeline.phases.exclude(pk=phase.pk).order_by("position"))
    if not others:
        raise Conflict(f"{phase.name} is the only phase of {phase.pipeline.name}: a pipeline keeps at least one.")
    people = set(Grant.objects.filter(phase=phase, user__isnull=False).values_list("user_id", flat=True))
    groups = set(Grant.objects.filter(phase=phase, group__isnull=False).values_list("group_id", flat=True))
    record("phase.removed", actor=actor, subject=phase, before={"position": phase.position},
           detail=f"The phase {phase.name} was removed from {phase.pipeline.name}.")  # fmt: skip
    publishers = set(RoleRight.objects.filter(phase=phase, right="publish").values_list("role_id", flat=True))
    Phase.objects.filter(pk=phase.pk).delete()
    RoleRight.objects.bulk_create(
        [RoleRight(phase=others[0], role_id=role, right="publish") for role in publishers], ignore_conflicts=True
    )
    renumber(others)
    granting.derive(others[0], Grant.objects.filter(phase=others[0]))
    granting.follow_staff([*User.objects.filter(pk__in=people), *User.objects.filter(groups__in=groups)])
    permissions.forget(actor)
    publish_on_commit("board")


@recorded("application.created")
def create_application(
    pipeline: Pipeline,
    *,
    actor: Actor,
    name: str,
    slug: str,
    description: str = "",
    repository: str = "",
    ticket_url: str = "",
    owner: User | None = None,
) -> Application:
    """Make an application that travels this pipeline. Needs an administrator."""
    permissions.require_administrator(actor, "create applications")
    check_slug(slug, "An application")
    application = Application(pipeline=pipeline, name=name, slug=slug, description=description)
    application.repository, application.ticket_url, application.owner = repository, ticket_url, owner
    with unique(f"There is an application “{slug}” already."):
        cleaned(application).save()
    record(
        "application.created",
        actor=actor,
        subject=application,
        after={"name": name, "pipeline": pipeline.slug},
        detail=f"The application {name} was created on the pipeline {pipeline.name}.",
    )
    publish_on_commit("board")
    return application


@recorded("application.edited")
def edit_application(
    application: Application,
    *,
    actor: Actor,
    name: str | None = None,
    description: str | None = None,
    repository: str | None = None,
    ticket_url: str | None = None,
    owner: User | str | None = None,
) -> Application:
    """Change an application's words. Its short name and pipeline stay: addresses and history use them.

    `owner`: an account, or the user name of somebody who sees the pipeline.
    """
    permissions.require_application(actor, application)
    require_team(actor, application.pipeline, f"change the application {application.name}")
    given = {
        "name": name,
        "description": description,
        "repository": repository,
        "ticket_url": ticket_url,
        "owner": member(application.pipeline, owner) if isinstance(owner, str) else owner,
    }
    before, after = changed(application, given)
    if after:
        cleaned(application).save(update_fields=list(given))
        record("application.edited", actor=actor, subject=application, before=before, after=after)
        publish_on_commit("board", f"application:{application.slug}")
    return application
