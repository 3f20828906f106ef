"""People and groups of the search: whom the reader sees on the pages of roles anyway, and nobody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import Group
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from phases import permissions
from phases.models import Grant, User
from phases.permissions import CURRENT
from releases.queries.places import display
from releases.queries.shared import Found, listed
from relman.actors import Actor

EACH = 8
"""Results of one kind."""


def holders(actor: Actor, words: Sequence[str]) -> list[Found]:
    """Who has a role in a phase that the reader sees, by their name, with the page that lists the roles.

    An account that has no role there, and a user name, are for those alone who look accounts up in administration.
    """
    found = _with_roles(actor, words)
    return found + _accounts(actor, words) if permissions.phases_with(actor, "manage_access") else found


def _with_roles(actor: Actor, words: Sequence[str]) -> list[Found]:
    """One result for each holder and pipeline."""
    rows = _grants(actor).annotate(holder=Coalesce("group__name", display("user__")))
    for word in words:
        rows = rows.filter(holder__icontains=word)
    one = ("holder", "group", "user", "user__machine", "phase__pipeline__slug", "phase__pipeline__name")
    chosen = rows.values(*one).annotate(roles=ArrayAgg("role__name", distinct=True)).order_by(*one)
    return [_holder(row) for row in chosen[:EACH]]


def _grants(actor: Actor) -> QuerySet[Grant]:
    """What counts now in the phases that the reader sees, of a group or of somebody who may sign in."""
    active = Q(user=None) | Q(user__is_active=True)
    return Grant.objects.filter(CURRENT, active, phase__in=permissions.visible_phases(actor)).order_by()


def _holder(row: Mapping[str, Any]) -> Found:
    kind = "group" if row["group"] else _kind(row["user__machine"])
    where = f"{listed(row['roles'])} in {row['phase__pipeline__name']}"
    return Found(kind, ICONS[kind], row["holder"], where, f"/pipelines/{row['phase__pipeline__slug']}/?tab=roles")


ICONS = {"group": "users", "machine": "key-round", "person": "user"}


def _kind(machine: bool) -> str:
    return "machine" if machine else "person"


def _accounts(actor: Actor, words: Sequence[str]) -> list[Found]:
    """Accounts and groups without a role of their own where the reader looks, as administration lists them."""
    seen = _grants(actor)
    people = User.objects.filter(~Exists(seen.filter(user=OuterRef("pk"))), is_active=True).annotate(said=display())
    groups = Group.objects.filter(~Exists(seen.filter(group=OuterRef("pk"))))
    for word in words:
        people = people.filter(Q(said__icontains=word) | Q(username__icontains=word))
        groups = groups.filter(name__icontains=word)
    return [
        *(_account(one) for one in people.order_by("said", "pk").values("pk", "said", "username", "machine")[:EACH]),
        *(
            Found("group", ICONS["group"], one.name, "Group", f"/admin/auth/group/{one.pk}/change/")
            for one in groups.order_by("name")[:EACH]
        ),
    ]


def _account(row: Mapping[str, Any]) -> Found:
    kind = _kind(row["machine"])
    return Found(
        kind, ICONS[kind], row["said"], f"Account {row['username']}", f"/admin/phases/user/{row['pk']}/change/"
    )
