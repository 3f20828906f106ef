"""Verbs on roles, approval rules, accounts and groups. Granting itself is in `phases.permissions.granting`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import ProtectedError

from phases import permissions
from phases.models import Grant, Phase, Role, Rule, User
from phases.permissions.granting import Careful, follow_staff, touch
from phases.slugs import check_slug
from relman.actors import Actor
from relman.audit import record, recorded
from relman.errors import Conflict, Invalid

from .checks import changed, cleaned, unique

LONGEST_DEADLINE = 10 * 366 * 24
"""Hours: a deadline beyond what a calendar holds would make every promotion that has it unreadable."""


@recorded("role.created")
def create_role(*, actor: Actor, name: str, slug: str, meaning: str = "") -> Role:
    """Name a new set of rights; what it may do is said for each phase. Needs an administrator."""
    permissions.require_administrator(actor, "create roles")
    role = cleaned(Role(slug=check_slug(slug, "A role"), name=name, meaning=meaning))
    with unique(f"There is a role “{name}” or “{slug}” already."):
        role.save()
    record("role.created", actor=actor, subject=role, after={"name": name, "meaning": meaning},
           detail=f"The role {name} was created.")  # fmt: skip
    return role


@recorded("role.edited")
def edit_role(role: Role, *, actor: Actor, name: str | None = None, meaning: str | None = None) -> Role:
    """Change a role's words. Needs an administrator."""
    permissions.require_administrator(actor, "rename roles")
    before, after = changed(role, {"name": name, "meaning": meaning})
    if after:
        with unique(f"There is a role “{role.name}” already.", field="name"):
            cleaned(role).save(update_fields=["name", "meaning"])
        record("role.edited", actor=actor, subject=role, before=before, after=after)
    return role


@recorded("role.removed")
def remove_role(role: Role, *, actor: Actor) -> None:
    """Forget a role. Needs an administrator. Refused while a rule needs it or somebody has it, naming them."""
    permissions.require_administrator(actor, "remove roles")
    rules = [f"{rule.name} of {rule.phase}" for rule in role.rules.select_related("phase")]
    if rules:
        raise Conflict(
            f"The role {role.name} is needed by the rules {', '.join(rules)}: change them first.", rules=rules
        )
    holders = role.grants.count()
    if holders:
        raise Conflict(f"The role {role.name} is held in {holders} grants: take them away first.")
    record("role.removed", actor=actor, subject=role, before={"name": role.name},
           detail=f"The role {role.name} was removed.")  # fmt: skip
    Role.objects.filter(pk=role.pk).delete()


@recorded("rule.set")
def set_rule(
    phase: Phase,
    *,
    actor: Actor,
    name: str,
    role: Role,
    count: int = 1,
    allow_requester: bool = False,
    allow_author: bool = False,
    deadline_hours: int = 168,
    rule: Rule | None = None,
    careful: bool = False,
) -> Rule:
    """Make an approval rule of a phase, or change it (`rule`, else the one of that name). Needs *manage access*.

    `careful`: Conflict when it leaves a rule that nobody can meet.
    """
    permissions.require(actor, "manage_access", phase)
    known = rule or Rule.objects.filter(phase=phase, name=name).first()
    if known and known.phase_id != phase.pk:
        raise Invalid("A rule stays in its phase: remove it there and make it here.", fields={"phase": ["It stays."]})
    if deadline_hours > LONGEST_DEADLINE:
        said = f"At most {LONGEST_DEADLINE} hours, ten years."
        raise Invalid(f"The rule is not saved. Its deadline is too far away. {said}", fields={"deadline_hours": [said]})
    touch(phase.pipeline_id)
    row = known or Rule(phase=phase, name=name, role=role)
    before = _words(row) if known else None
    row.name, row.role, row.count, row.deadline_hours = name, role, count, deadline_hours
    row.allow_requester, row.allow_author = allow_requester, allow_author
    if before == _words(row):
        return row
    with Careful(phase, on=careful), unique(f"{phase.name} has a rule “{name}” already.", field="name"):
        cleaned(row).save()
    record("rule.changed" if known else "rule.created", actor=actor, subject=row, before=before, after=_words(row),
           detail=f"The rule {name} of {phase.name} needs {count} × {role.name}.")  # fmt: skip
    return row


@recorded("rule.removed")
def remove_rule(rule: Rule, *, actor: Actor) -> None:
    """Take an approval rule away; open promotions keep the rules they began with. Needs *manage access*."""
    permissions.require(actor, "manage_access", rule.phase)
    touch(rule.phase.pipeline_id)
    record("rule.removed", actor=actor, subject=rule, before=_words(rule),
           detail=f"{rule.phase.name} no longer has the rule {rule.name}.")  # fmt: skip
    Rule.objects.filter(pk=rule.pk).delete()


def _words(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "role": rule.role.slug,
        "count": rule.count,
        "allow_requester": rule.allow_requester,
        "allow_author": rule.allow_author,
        "deadline_hours": rule.deadline_hours,
    }


@recorded("user.created")
def create_user(
    *,
    actor: Actor,
    username: str,
    password: str | None = None,
    name: str = "",
    email: str = "",
    machine: bool = False,
    is_superuser: bool = False,
) -> User:
    """Make an account. Needs an administrator. Without a password nobody can sign in with it, tokens work."""
    permissions.require_administrator(actor, "create accounts")
    user = User(username=username, name=name, email=email, machine=machine, is_superuser=is_superuser)
    user.is_staff = is_superuser
    user.set_password(password)
    with unique(f"There is an account “{username}” already.", field="username"):
        cleaned(user).save()
    record("user.created", actor=actor, subject=user, detail=f"The account {username} was created.",
           after={"username": username, "name": name, "machine": machine, "is_superuser": is_superuser})  # fmt: skip
    return user


EDITABLE = ("username", "name", "first_name", "last_name", "email", "machine", "is_active", "is_superuser")


@recorded("user.edited")
def edit_user(user: User, *, actor: Actor, **given: Any) -> User:
    """Change an account (see EDITABLE). Needs an administrator. Refused for the last one who is left."""
    permissions.require_administrator(actor, "change accounts")
    unknown = sorted(set(given) - set(EDITABLE))
    if unknown:
        raise ValueError(f"An account has no {', '.join(unknown)}.")
    before, after = changed(user, given)
    if not after:
        return user
    _keep_an_administrator(user, after)
    with unique(f"There is an account “{user.username}” already.", field="username"):
        cleaned(user, exclude=("password",)).save(update_fields=list(after))
    follow_staff([user])
    record("user.edited", actor=actor, subject=user, before=before, after=after, detail=_said(user, after))
    return user


def _keep_an_administrator(user: User, after: dict[str, Any]) -> None:
    if after.get("is_active") is not False and after.get("is_superuser") is not False:
        return
    others = User.objects.select_for_update().filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    if not others.exists():
        raise Conflict(f"{user.display} is the last administrator: make another one first.")


def _said(user: User, after: dict[str, Any]) -> str:
    if "is_active" in after:
        return f"The account {user.username} was switched {'on' if after['is_active'] else 'off'}."
    if "is_superuser" in after:
        return f"{user.display} is {'now' if after['is_superuser'] else 'no longer'} an administrator."
    return f"The account {user.username} was changed: {', '.join(after)}."


@recorded("group.created")
def create_group(*, actor: Actor, name: str, members: Iterable[User] = ()) -> Group:
    """Make a group of people, to be given roles together. Needs an administrator."""
    permissions.require_administrator(actor, "create groups")
    group = cleaned(Group(name=name))
    with unique(f"There is a group “{name}” already.", field="name"):
        group.save()
    record("group.created", actor=actor, subject=group, after={"name": name}, detail=f"The group {name} was created.")
    set_members(group, members, actor=actor)
    return group


@recorded("group.members_changed")
def set_members(group: Group, members: Iterable[User], *, actor: Actor) -> None:
    """Say who belongs to a group. Needs an administrator: its roles go to whoever is in it."""
    permissions.require_administrator(actor, "change groups")
    had, wanted = set(group.user_set.all()), set(members)
    if had == wanted:
        return
    for pipeline in Grant.objects.filter(group=group).values_list("phase__pipeline", flat=True).distinct().order_by():
        touch(pipeline)
    group.user_set.set(wanted)
    follow_staff(had ^ wanted)
    permissions.forget(actor)
    came, went = (sorted(user.display for user in people) for people in (wanted - had, had - wanted))
    parts = [f"{', '.join(came)} joined"] * bool(came) + [f"{', '.join(went)} left"] * bool(went)
    record(
        "group.members_changed",
        actor=actor,
        subject=group,
        before={"members": sorted(user.username for user in had)},
        after={"members": sorted(user.username for user in wanted)},
        detail=f"The group {group.name}: {'; '.join(parts)}.",
    )


@recorded("group.removed")
def remove_group(group: Group, *, actor: Actor) -> None:
    """Forget a group. Needs an administrator. Refused while it has a role somewhere."""
    permissions.require_administrator(actor, "remove groups")
    held = Grant.objects.filter(group=group).count()
    if held:
        raise Conflict(f"The group {group.name} has {held} roles: take them away first.")
    record("group.removed", actor=actor, subject=group, before={"name": group.name},
           detail=f"The group {group.name} was removed.")  # fmt: skip
    try:
        group.delete()
    except ProtectedError as error:
        raise Conflict(f"The group {group.name} is still in use.") from error
