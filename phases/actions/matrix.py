"""One verb for many changes of access at once: all of them, or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from phases import permissions
from phases.models import Grant, Phase, Pipeline, Rule, User
from phases.permissions import changes, granting
from phases.permissions.state import (
    DropRule,
    Edit,
    End,
    Join,
    Leave,
    NewRule,
    SetRule,
    State,
    Tick,
    holder_of,
    read,
)
from relman.actors import Actor
from relman.audit import recorded
from relman.errors import Conflict, Forbidden, NotFound

from .access import remove_rule, set_rule


def managed(pipeline: Pipeline, actor: Actor) -> frozenset[int]:
    """The phases of a pipeline whose access the actor manages. NotFound when they see none of them, else Forbidden."""
    phases = list(pipeline.phases.order_by("position"))
    may = permissions.phases_with(actor, "manage_access")
    found = frozenset(phase.pk for phase in phases if phase.pk in may)
    if found:
        return found
    if not any(permissions.can(actor, "view", phase) for phase in phases):
        raise NotFound()
    roles = sorted({role for phase in phases for role in permissions.roles_with("manage_access", phase)})
    raise Forbidden(
        f"You may not decide who may do what in {pipeline.name}. Who may: {', '.join(roles) or 'Administrator'}.",
        roles=roles or ["Administrator"],
    )


def access_of(pipeline: Pipeline, edits: Iterable[Edit], *, actor: Actor) -> State:
    """Who may do what in the phases that the actor manages, with whatever these edits need to be understood."""
    groups = [edit.holder.pk for edit in edits if isinstance(edit, Join) and not isinstance(edit.holder, User)]
    return read(pipeline, managed(pipeline, actor), groups)


@recorded("access.changed")
def change_access(
    pipeline: Pipeline, edits: Sequence[Edit], *, actor: Actor, revision: int, seal: str, sure: bool = False
) -> int:
    """Save changes of a pipeline's roles, people and rules; how many there were.

    `revision`: the pipeline's when the actor read it; Conflict `stale` when it moved. `seal`: of the sentences that
    they read; Conflict `unread` when RelMan would say others now. Conflict `unmeetable` when a rule could be met and
    then could not. `sure`: said again by who loses their own right to manage access; Conflict `sure` without it.
    """
    managed(pipeline, actor)
    locked = Pipeline.objects.select_for_update().get(pk=pipeline.pk)
    if locked.revision != revision:
        raise Conflict("Nothing was saved: somebody else changed the access of this pipeline.", code="stale")
    plan = changes.foresee(access_of(locked, edits, actor=actor), edits, actor.user)
    if plan.blocked:
        raise Conflict(f"Nothing was saved. {' '.join(plan.blocked)}", code="unmeetable")
    if plan.seal != seal:
        raise Conflict("Nothing is saved yet: read what it does, then save.", code="unread")
    if plan.own and not sure:
        where = ", ".join(plan.own)
        raise Conflict(
            f"Nothing was saved: you would lose the right to manage access in {where}. Say that you want it.",
            code="sure",
        )
    _save(plan, actor)
    return len(plan.edits)


def _save(plan: changes.Plan, actor: Actor) -> None:
    """Each change through its own verb: what gives comes first, what takes the actor's own right away comes last, and
    the right for it is asked before the first."""
    steps = [edit for edit in plan.edits if not isinstance(edit, Tick)]
    boxes = {(edit.role, edit.phase) for edit in plan.edits if isinstance(edit, Tick)}
    phases = {phase.pk: phase for phase in plan.before.phases}
    own = [one for one in plan.before.grants if actor.user in plan.before.people(holder_of(one))]
    mine = {one.role_id for one in own}
    leaving = {one for edit in steps if isinstance(edit, Leave) for one in edit.grants}
    for one in (one for one in own if one.pk in leaving):
        permissions.require(actor, "manage_access", phases[one.phase_id])

    def put(role: int, phase: int) -> None:
        wanted = {right for one, where, right in plan.after.boxes if (one, where) == (role, phase)}
        permissions.set_role_rights(plan.before.roles[role], phases[phase], wanted, actor=actor)

    last = {
        (edit.role, edit.phase)
        for edit in plan.edits
        if isinstance(edit, Tick) and edit.right == "manage_access" and not edit.on and edit.role in mine
    }
    for edit in (edit for edit in steps if not isinstance(edit, Leave)):
        _apply(edit, plan.before, phases, actor)
    for role, phase in sorted(boxes - last):
        put(role, phase)
    for one in _grants(leaving - {one.pk for one in own}):
        permissions.revoke(one, actor=actor)
    for role, phase in sorted(last):
        put(role, phase)
    for one in _grants(leaving & {one.pk for one in own}):
        granting.take_away(one, actor=actor)


def _apply(edit: Edit, state: State, phases: dict[int, Phase], actor: Actor) -> None:
    if isinstance(edit, Join):
        user = edit.holder if isinstance(edit.holder, User) else None
        group = None if isinstance(edit.holder, User) else edit.holder
        for phase in (phase for phase in state.phases if phase.pk in edit.phases):
            permissions.grant(state.roles[edit.role], phase, actor=actor, user=user, group=group, until=edit.until)
    elif isinstance(edit, End):
        for one in (one for one in state.grants if one.pk in edit.grants):
            permissions.grant(one.role, one.phase, actor=actor, user=one.user, group=one.group, until=edit.until)
    elif isinstance(edit, NewRule):
        set_rule(phases[edit.phase], actor=actor, name=edit.name, role=state.roles[edit.role], count=edit.count)
    elif isinstance(edit, SetRule | DropRule):
        rule = Rule.objects.select_related("phase", "role").get(pk=edit.rule)
        if isinstance(edit, DropRule):
            remove_rule(rule, actor=actor)
        else:
            _set(rule, edit, state, actor)


def _set(rule: Rule, edit: SetRule, state: State, actor: Actor) -> None:
    set_rule(
        rule.phase,
        actor=actor,
        name=rule.name,
        role=state.roles[edit.role],
        count=edit.count,
        allow_requester=rule.allow_requester,
        allow_author=rule.allow_author,
        deadline_hours=rule.deadline_hours,
        rule=rule,
    )


def _grants(numbers: Iterable[int]) -> Iterable[Grant]:
    related = ("role", "phase", "user", "group", "granted_by")
    return Grant.objects.filter(pk__in=set(numbers)).select_related(*related).order_by("pk")
