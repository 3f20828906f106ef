"""Accounts, groups and tokens."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import FilteredSelectMultiple
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest

from phases import actions
from phases.models import Grant, Token, User
from relman.actors import Actor
from relman.audit import record
from relman.errors import RelManError
from relman.identity import actor_of

from .base import ReadOnlyAdmin, VerbAdmin, VerbForm, managed

HELP = {
    "is_active": "May sign in. Switch it off in place of deleting an account: history names people.",
    "is_superuser": "An administrator: sees everything, and makes pipelines, accounts and roles. Any other right comes "
    "by a role, and a role given to oneself counts for no approval.",
}
"""What Django's own words for these would promise is not so here."""
FOR_ALL = ("username", "name", "machine", "is_active")


@admin.register(User)
class UserAdmin(VerbAdmin, DjangoUserAdmin):  # type: ignore[type-arg]  # generic for mypy alone, not when it runs
    """Accounts. Who only manages access looks people up here and changes nothing."""

    delegated = True
    list_display = ("username", "name", "machine", "is_active", "is_superuser", "last_login")
    list_filter = ("machine", "is_active", "is_superuser")
    search_fields = ("username", "name", "first_name", "last_name", "email")
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password", "name", "email", "machine")}),
        ("May sign in and administer", {"fields": ("is_active", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (None, {"fields": ("username", "name", "email", "machine", "usable_password", "password1", "password2")}),
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return actor_of(request).is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return actor_of(request).is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """History names people: switch an account off in place of deleting it."""
        return False

    def get_list_display(self, request: HttpRequest) -> Any:
        return super().get_list_display(request) if actor_of(request).is_superuser else FOR_ALL

    def get_list_filter(self, request: HttpRequest) -> Any:
        return super().get_list_filter(request) if actor_of(request).is_superuser else ("machine",)

    def get_search_fields(self, request: HttpRequest) -> Any:
        return super().get_search_fields(request) if actor_of(request).is_superuser else ("username", "name")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        for name, text in HELP.items():
            if name in form.base_fields:
                form.base_fields[name].help_text = text
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if not actor_of(request).is_superuser:
            return [(None, {"fields": FOR_ALL})]
        return super().get_fieldsets(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if actor_of(request).is_superuser else FOR_ALL

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        user = kwargs.get("obj")
        context["roles"] = _roles_of(user, managed(request)) if user else []
        return super().render_change_form(request, context, *args, **kwargs)

    def apply(self, actor: Actor, obj: Any, form: Any, change: bool) -> User:
        given = form.cleaned_data
        if change:
            known = User.objects.get(pk=obj.pk)
            fields = {name: given[name] for name in actions.access.EDITABLE if name in given}
            return actions.edit_user(known, actor=actor, **fields)
        password = given.get("password1") if given.get("set_usable_password", True) else None
        words = {name: given[name] for name in ("username", "name", "email", "machine") if name in given}
        return actions.create_user(actor=actor, password=password or None, **words)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Django's own page for passwords saves by itself: this is where it says that it did."""
        if request.path.endswith("/password/"):
            record("user.password_set", actor=actor_of(request), subject=obj,
                   detail=f"The password of {obj.username} was set by an administrator.")  # fmt: skip


def _roles_of(user: User, phases: Collection[int]) -> list[dict[str, Any]]:
    """The person's roles in these phases, each pipeline's phases together: what gives the right stands here too."""
    own = Q(user=user) | Q(group__in=user.groups.all())
    rows = Grant.objects.filter(own, phase__in=phases).select_related("role", "phase__pipeline", "group")
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    counting = rows.filter(Q(until=None) | Q(until__gt=Now()))
    for one in counting.order_by("phase__pipeline__name", "role__name", "phase__position"):
        key = (one.role_id, one.phase.pipeline_id, one.group_id, one.until)
        words: dict[str, Any] = {
            "role": one.role,
            "pipeline": one.phase.pipeline,
            "group": one.group,
            "until": one.until,
            "phases": [],
        }
        found.setdefault(key, words)["phases"].append(one.phase.name)
    return list(found.values())


class GroupForm(VerbForm):
    """A group's name and its people."""

    members = forms.ModelMultipleChoiceField(
        queryset=User.objects.filter(is_active=True).order_by("username"),
        required=False,
        widget=FilteredSelectMultiple("members", is_stacked=False),
        help_text="All of them have the group's roles from their next request on.",
    )

    class Meta:
        model = Group
        fields: ClassVar[list[str]] = ["name", "members"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "members" in self.fields:
            self.fields["members"].initial = list(self.instance.user_set.all())


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(VerbAdmin):
    """Groups of people that get roles together."""

    delegated = True
    form = GroupForm
    search_fields = ("name",)
    ordering = ("name",)
    list_display = ("name", "people")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        rows: QuerySet[Group] = super().get_queryset(request)
        return rows.annotate(size=Count("user"))

    @admin.display(description="members", ordering="size")
    def people(self, group: Any) -> int:
        return int(group.size)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return actor_of(request).is_superuser

    has_change_permission = has_delete_permission = has_add_permission

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["name", "members"] if actor_of(request).is_superuser else ["name"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["name"] if obj else []

    def apply(self, actor: Actor, obj: Any, form: Any, change: bool) -> Group:
        members = form.cleaned_data["members"]
        if not change:
            return actions.create_group(actor=actor, name=form.cleaned_data["name"], members=members)
        group = Group.objects.get(pk=obj.pk)
        actions.set_members(group, members, actor=actor)
        return group

    def remove(self, actor: Actor, obj: Any) -> None:
        actions.remove_group(obj, actor=actor)


@admin.register(Token)
class TokenAdmin(ReadOnlyAdmin):
    """Tokens: never the token itself. An administrator may revoke them."""

    list_display = ("name", "prefix", "owner", "created_at", "expires_at", "revoked_at", "last_used_at")
    list_filter = ("revoked_at",)
    search_fields = ("name", "prefix", "owner__username")
    list_select_related = ("owner",)
    fields = ("name", "prefix", "owner", "rights", "applications", "phases", "parent", "created_at", "expires_at",
              "revoked_at", "last_used_at")  # fmt: skip
    actions = ("revoke",)

    @admin.action(description="Revoke the selected tokens")
    def revoke(self, request: HttpRequest, tokens: QuerySet[Token]) -> None:
        """End each of them by its verb."""
        for token in tokens:
            try:
                actions.revoke_token(token, actor=actor_of(request))
                messages.success(request, f"The token “{token.name}” of {token.owner.display} was revoked.")
            except RelManError as error:
                messages.error(request, error.message)
