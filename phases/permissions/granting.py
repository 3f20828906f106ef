"""Changes of who may do what: grants are the truth, guardian's rows follow in the same transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import F, Q

from phases.models import Grant, Phase, PhaseGroupPermission, PhaseUserPermission, Pipeline, Role, RoleRight, User
from relman import clock
from relman.actors import Actor
from relman.audit import record, recorded
from relman.errors import Conflict, Invalid

from . import asking
from .approvers import unmeetable_rules
from .table import LABELS, RIGHTS


@recorded("grant.created")
def grant(
    role: Role,
    phase: Phase,
    *,
    actor: Actor,
    user: User | None = None,
    group: Group | None = None,
    until: datetime | None = None,
    careful: bool = False,
) -> Grant:
    """Give a person or a group a role in a phase, until a moment or without end; again: change the end.

    Needs *manage access* there. `careful`: Conflict when it leaves a rule that nobody can meet.
    """
    asking.require(actor, "manage_access", phase)
    _valid(user, group, until)
    touch(phase.pipeline_id)
    known = Grant.objects.filter(role=role, phase=phase, user=user, group=group).first()
    if known and known.until == until:
        return known
    with Careful(phase, on=careful):
        if known:
            return _change(known, actor, until)
        return _create(Grant(role=role, phase=phase, user=user, group=group, until=until), actor)


def _valid(user: User | None, group: Group | None, until: datetime | None) -> None:
    if (user is None) == (group is None):
        raise Invalid("A role goes to one person or to one group.", fields={"user": ["Choose a person or a group."]})
    if user is not None and not user.is_active:
        raise Invalid(f"{user.display}'s account is switched off.", fields={"user": ["This account is switched off."]})
    clock.must_fit(until=until)
    if until is not None and until <= clock.now():
        raise Invalid("The end of a role must be in the future.", fields={"until": ["Choose a moment to come."]})


def _create(new: Grant, actor: Actor) -> Grant:
    new.granted_by = actor.user
    new.save()
    derive(new.phase, [new])
    asking.forget(actor)
    end = f" until {new.until:%d %B %Y %H:%M %Z}" if new.until else ""
    record(
        "grant.created",
        actor=actor,
        subject=new,
        after=_words(new),
        detail=f"{_holder(new)} now has the role {new.role.name} for {new.phase.name}{end}.",
    )
    return new


def _change(known: Grant, actor: Actor, until: datetime | None) -> Grant:
    before = _words(known)
    known.until, known.granted_by = until, actor.user
    known.save(update_fields=["until", "granted_by"])
    derive(known.phase, [known])
    asking.forget(actor)
    end = f"ends {until:%d %B %Y %H:%M %Z}" if until else "has no end"
    record(
        "grant.changed",
        actor=actor,
        subject=known,
        before=before,
        after=_words(known),
        detail=f"{_holder(known)}'s role {known.role.name} for {known.phase.name} now {end}.",
    )
    return known


@recorded("grant.revoked")
def revoke(grant: Grant, *, actor: Actor, careful: bool = False) -> None:
    """Take a role in a phase away. Needs *manage access* there. `careful` as in `grant`."""
    asking.require(actor, "manage_access", grant.phase)
    take_away(grant, actor=actor, careful=careful)


def take_away(grant: Grant, *, actor: Actor, careful: bool = False) -> None:
    """As `revoke`, for a verb that has asked for the right before its first change: what it changed since may have
    been the actor's own right."""
    touch(grant.phase.pipeline_id)
    if not Grant.objects.filter(pk=grant.pk).exists():
        raise Conflict("This role was taken away already.")
    with Careful(grant.phase, on=careful):
        record(
            "grant.revoked",
            actor=actor,
            subject=grant,
            before=_words(grant),
            detail=f"{_holder(grant)} no longer has the role {grant.role.name} for {grant.phase.name}.",
        )
        Grant.objects.filter(pk=grant.pk).delete()
        derive(grant.phase, [grant])
    asking.forget(actor)


@recorded("role.rights_changed")
def set_role_rights(
    role: Role, phase: Phase, rights: Collection[str], *, actor: Actor, careful: bool = False
) -> frozenset[str]:
    """Say what a role may do in a phase. Needs *manage access* there. Any right brings *view*."""
    asking.require(actor, "manage_access", phase)
    wanted = _rights(rights, phase)
    touch(phase.pipeline_id)
    had = frozenset(RoleRight.objects.filter(role=role, phase=phase).values_list("right", flat=True))
    if had == wanted:
        return wanted
    with Careful(phase, on=careful):
        put_rights(role, phase, had, wanted)
        derive(phase, Grant.objects.filter(role=role, phase=phase))
    asking.forget(actor)
    record(
        "role.rights_changed",
        actor=actor,
        subject=role,
        phase=phase,
        before={"rights": sorted(had)},
        after={"rights": sorted(wanted)},
        detail=_rights_sentence(role, phase, had, wanted),
    )
    return wanted


def _rights(rights: Collection[str], phase: Phase) -> frozenset[str]:
    unknown = sorted(set(rights) - set(RIGHTS))
    if unknown:
        raise Invalid(f"There is no right {', '.join(unknown)}.", fields={"rights": ["Choose from the list."]})
    first = asking.first_phase(phase.pipeline)
    if "publish" in rights and first.pk != phase.pk:
        raise Invalid(
            f"Releases are published into {first.name}, the first phase: give the right to publish there.",
            fields={"rights": ["Publish exists in the first phase only."]},
        )
    return frozenset(rights) | {"view"} if rights else frozenset()


def put_rights(role: Role, phase: Phase, had: frozenset[str], wanted: frozenset[str]) -> None:
    """Write the boxes of the matrix that differ."""
    RoleRight.objects.filter(role=role, phase=phase, right__in=had - wanted).delete()
    RoleRight.objects.bulk_create([RoleRight(role=role, phase=phase, right=right) for right in sorted(wanted - had)])


def _rights_sentence(role: Role, phase: Phase, had: frozenset[str], wanted: frozenset[str]) -> str:
    gained = ", ".join(LABELS[right].lower() for right in RIGHTS if right in wanted - had)
    lost = ", ".join(LABELS[right].lower() for right in RIGHTS if right in had - wanted)
    parts = [f"may now {gained}"] * bool(gained) + [f"may no longer {lost}"] * bool(lost)
    return f"{role.name} {' and '.join(parts)} in {phase.name}."


class Careful:
    """Refuses what is done inside it when that leaves a rule nobody can meet which could be met before."""

    def __init__(self, phase: Phase, *, on: bool) -> None:
        self.phase, self.on = phase, on

    def __enter__(self) -> None:
        self.before = {found.rule.pk for found in unmeetable_rules(self.phase)} if self.on else set()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is not None or not self.on:
            return
        now = [found for found in unmeetable_rules(self.phase) if found.rule.pk not in self.before]
        if now:
            raise Conflict(
                " ".join(found.sentence for found in now), code="unmeetable", rules=[f.rule.name for f in now]
            )


def touch(pipeline: int) -> None:
    """Raise the pipeline's revision; its row lock puts changes of access in one order. Call it first."""
    Pipeline.objects.filter(pk=pipeline).update(revision=F("revision") + 1)


def derive(phase: Phase, grants: Iterable[Grant]) -> None:
    """Make guardian's rows of the holders of these grants equal to what their grants in the phase give."""
    changed = list(grants)
    users = {one.user_id for one in changed if one.user_id}
    groups = {one.group_id for one in changed if one.group_id}
    if not users and not groups:
        return
    held = list(Grant.objects.filter(Q(user__in=users) | Q(group__in=groups), phase=phase))
    boxes: dict[int, set[str]] = {}
    for role, right in RoleRight.objects.filter(phase=phase, role__in={one.role_id for one in held}).values_list(
        "role_id", "right"
    ):
        boxes.setdefault(role, set()).add(right)
    ids = permission_ids()
    _write(PhaseUserPermission, "user_id", users, held, boxes, ids, phase)
    _write(PhaseGroupPermission, "group_id", groups, held, boxes, ids, phase)
    follow_staff(User.objects.filter(Q(pk__in=users) | Q(groups__in=groups)))


def permission_ids() -> dict[str, int]:
    """Right -> id of guardian's permission row."""
    rows = Permission.objects.filter(content_type__app_label="phases", content_type__model="phase")
    return dict(rows.values_list("codename", "pk"))


def _write(
    model: Any,
    holder: str,
    holders: set[int],
    held: list[Grant],
    boxes: dict[int, set[str]],
    ids: dict[str, int],
    phase: Phase,
) -> None:
    until: dict[tuple[int, str], datetime | None] = {}
    for one in held:
        who = getattr(one, holder)
        for right in boxes.get(one.role_id, ()) if who else ():
            key = (who, right)
            until[key] = _later(until[key], one.until) if key in until else one.until
    model.objects.filter(**{f"{holder}__in": holders}, content_object=phase).delete()
    model.objects.bulk_create(
        model(**{holder: who}, permission_id=ids[right], content_object=phase, until=end)
        for (who, right), end in until.items()
    )


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two ends; None is without end."""
    return None if one is None or other is None else max(one, other)


def follow_staff(people: Iterable[User]) -> None:
    """`is_staff` has whoever may manage access somewhere, and administrators."""
    wanted = {user.pk for user in people}
    if not wanted:
        return
    manages = Q(asking.CURRENT, permission__codename="manage_access")
    own = PhaseUserPermission.objects.filter(manages, user__in=wanted).values("user_id")
    groups = PhaseGroupPermission.objects.filter(manages).values("group_id")
    staff = Q(is_superuser=True) | Q(pk__in=own) | Q(groups__in=groups)
    may = set(User.objects.filter(staff, pk__in=wanted).values_list("pk", flat=True))
    User.objects.filter(pk__in=may, is_staff=False).update(is_staff=True)
    User.objects.filter(pk__in=wanted - may, is_staff=True).update(is_staff=False)


def _holder(one: Grant) -> str:
    return one.user.display if one.user else f"The group {one.group}"


def _words(one: Grant) -> dict[str, Any]:
    return {
        "role": one.role.slug,
        "phase": one.phase.slug,
        "person": one.user.username if one.user else None,
        "group": one.group.name if one.group else None,
        "until": one.until,
        "granted_by": one.granted_by.username if one.granted_by else None,
    }
