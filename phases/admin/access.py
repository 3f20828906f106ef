"""Roles with their rights, who has them, and the approval rules."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Count, F, Prefetch, Q, QuerySet, Value
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from phases import actions, permissions
from phases.models import Grant, Phase, Pipeline, Role, RoleRight, Rule
from phases.permissions import LABELS, RIGHTS
from relman import clock
from relman.actors import Actor
from relman.errors import Invalid
from relman.identity import actor_of

from .base import Rows, VerbAdmin, VerbForm, labelled, managed, managed_phases, managed_pipelines, newest_event, warn

NONE = format_html('<span class="quiet" title="no">{}</span>', "–")


def rights_field(phase: Phase) -> str:
    """Name of the form's field with a phase's boxes."""
    return f"rights_{phase.pk}"


class RoleForm(VerbForm):
    """A role's words, and one row of boxes for each phase in which the reader manages access."""

    class Meta:
        model = Role
        fields: ClassVar[list[str]] = ["name", "slug", "meaning"]


class GrantInline(Rows):
    """People and groups with this role."""

    model = Grant
    extra = 1
    fields = ("user", "group", "phase", "until", "granted_by")
    readonly_fields = ("granted_by",)
    autocomplete_fields = ("user", "group", "phase")
    verbose_name = "person or group with this role"
    verbose_name_plural = "people and groups with this role"
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        rows = super().get_queryset(request).filter(phase__in=managed(request))
        return rows.select_related("user", "group", "phase__pipeline", "granted_by").order_by("phase__position", "id")

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        made: Any = super().get_formset(request, obj, **{**kwargs, "form": GrantRowForm})
        words = (("user", "Person"), ("group", "Group"), ("phase", "Phase"), ("until", "Ends on"), ("DELETE", "Remove"))

        class Labelled(made):  # type: ignore[misc]  # a class that Django makes here
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                labelled(self, words)

            def validate_unique(self) -> None:
                """The verb says it in its own sentence."""

        return Labelled

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(managed(request))

    has_add_permission = has_change_permission = has_delete_permission = has_view_permission


class GrantRowForm(VerbForm):
    """One row of the inline: a grant that exists keeps its holder and phase, only its end changes."""

    class Meta:
        model = Grant
        fields: ClassVar[list[str]] = ["user", "group", "phase", "until"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            for name in ("user", "group", "phase"):
                self.fields[name].disabled = True

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if bool(cleaned.get("user")) == bool(cleaned.get("group")) and not self.errors:
            raise forms.ValidationError("Choose a person or a group, one of the two.")
        return cleaned


@admin.register(Role)
class RoleAdmin(VerbAdmin):
    """Roles: their words, what they may do in each phase, and who has them."""

    delegated = True
    form = RoleForm
    inlines = (GrantInline,)
    search_fields = ("name", "slug", "meaning")
    prepopulated_fields: ClassVar[dict[str, Any]] = {}

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return ["name", "meaning", "holders", *(_column(right) for right in RIGHTS)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Role]:
        here = managed(request)
        boxes = RoleRight.objects.filter(phase__in=here).select_related("phase").order_by("phase__position")
        people = Count("grants", filter=Q(grants__phase__in=here), distinct=True)
        rows: QuerySet[Role] = super().get_queryset(request)
        return rows.prefetch_related(Prefetch("rights", boxes, "boxes")).annotate(held=people, places=Value(len(here)))

    @admin.display(description="grants", ordering="held")
    def holders(self, role: Any) -> int:
        return int(role.held)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return actor_of(request).is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return actor_of(request).is_superuser

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if not actor_of(request).is_superuser:
            return ["name", "slug", "meaning"]
        return ["slug"] if obj else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["fields"] = [
            name for name in ("name", "slug", "meaning") if name not in self.get_readonly_fields(request, obj)
        ]
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), _boxes(request, obj))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        sets: list[Any] = [(None, {"fields": ["name", "slug", "meaning"]})]
        by_pipeline: dict[Pipeline, list[str]] = defaultdict(list)
        for phase in managed_phases(request):
            by_pipeline[phase.pipeline].append(rights_field(phase))
        for pipeline, names in by_pipeline.items():
            folded = ["collapse"] if len(by_pipeline) > 2 else []
            where = reverse("admin:phases_pipeline_roles", args=[pipeline.pk])
            matrix = format_html(
                '<a href="{}">Beside the other roles of {}, with what a change does</a>', where, pipeline
            )
            about = {"fields": names, "classes": [*folded, "rights"], "description": matrix}
            sets.append((f"What it may do: {pipeline.name}", about))
        return sets

    def apply(self, actor: Actor, obj: Any, form: Any, change: bool) -> Role:
        words = {name: form.cleaned_data[name] for name in ("name", "meaning") if name in form.cleaned_data}
        if not change:
            role = actions.create_role(actor=actor, slug=form.cleaned_data["slug"], **words)
        else:
            role = Role.objects.get(pk=obj.pk)
            if actor.is_superuser:
                actions.edit_role(role, actor=actor, **words)
        for phase in Phase.objects.filter(pk__in=permissions.phases_with(actor, "manage_access")):
            wanted = form.cleaned_data.get(rights_field(phase))
            if wanted is not None:
                actions.set_role_rights(role, phase, wanted, actor=actor, careful=True)
        return role

    def remove(self, actor: Actor, obj: Any) -> None:
        actions.remove_role(obj, actor=actor)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        since, actor, phases = newest_event(), actor_of(request), set()
        formset.save(commit=False)
        for gone in formset.deleted_objects:
            actions.revoke(gone, actor=actor, careful=True)
            phases.add(gone.phase)
        for one in [*formset.new_objects, *(changed for changed, _ in formset.changed_objects)]:
            actions.grant(
                form.instance, one.phase, actor=actor, user=one.user, group=one.group, until=one.until, careful=True
            )
            phases.add(one.phase)
        self.told(request, since)
        for phase in phases:
            warn_of(self, request, phase)


def warn_of(page: VerbAdmin, request: HttpRequest, phase: Phase) -> None:
    """Rules of the phase that nobody can meet now, and those that nobody can meet once the next grant ends."""
    now = permissions.unmeetable_rules(phase)
    warn(page, request, now)
    known = {one.rule.pk for one in now}
    end = Grant.objects.filter(phase=phase, until__gt=clock.now()).order_by("until").first()
    if end and end.until:
        later = [one for one in permissions.unmeetable_rules(phase, at=end.until) if one.rule.pk not in known]
        for one in later:
            page.message_user(request, f"From {end.until:%d %B %Y %H:%M %Z} on: {one.sentence}", "WARNING")


def _column(right: str) -> Any:
    @admin.display(description=LABELS[right])
    def column(role: Any) -> str:
        boxes = [box.phase.name for box in role.boxes if box.right == right]
        if len(boxes) == role.places > 1 and right != "publish":
            return "all"
        return ", ".join(dict.fromkeys(boxes)) or NONE

    column.__name__ = f"may_{right}"
    return column


def _boxes(request: HttpRequest, role: Role | None) -> dict[str, forms.Field]:
    """One field of boxes for each phase that the reader manages, ticked as saved."""
    ticked: dict[int, list[str]] = defaultdict(list)
    if role:
        for phase_id, right in RoleRight.objects.filter(role=role).values_list("phase_id", "right"):
            ticked[phase_id].append(right)
    phases = list(managed_phases(request).order_by("pipeline_id", "position"))
    firsts = set(Phase.objects.filter(position=1, pk__in=[p.pk for p in phases]).values_list("pk", flat=True))
    return {
        rights_field(phase): forms.MultipleChoiceField(
            label=phase.name,
            required=False,
            initial=ticked[phase.pk],
            choices=[(right, LABELS[right]) for right in RIGHTS if right != "publish" or phase.pk in firsts],
            widget=forms.CheckboxSelectMultiple,
            help_text="" if phase.description == "" else phase.description,
        )
        for phase in phases
    }


def name_phases(field: Any, request: HttpRequest) -> None:
    """Offer the phases that the reader manages, each with its pipeline's name."""
    field.queryset = managed_phases(request)
    field.label_from_instance = lambda phase: f"{phase.pipeline.name}: {phase.name}"


class GrantForm(VerbForm):
    """A role for a person or a group, in one phase or in all of a pipeline."""

    pipeline = forms.ModelChoiceField(
        queryset=Pipeline.objects.none(), required=False, help_text="With no phase chosen: all of its phases."
    )

    class Meta:
        model = Grant
        fields: ClassVar[list[str]] = ["user", "group", "role", "phase", "until"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["phase"].required = False

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if bool(cleaned.get("user")) == bool(cleaned.get("group")):
            self.add_error("user", "Choose a person or a group, one of the two.")
        pipeline, phase = cleaned.get("pipeline"), cleaned.get("phase")
        if not pipeline and not phase:
            self.add_error("pipeline", "Choose a pipeline, a phase, or both.")
        if pipeline and phase and phase.pipeline_id != pipeline.pk:
            self.add_error("phase", f"{phase.name} is not a phase of {pipeline.name}.")
        return cleaned


class GrantEndForm(VerbForm):
    """A grant that exists: only its end changes."""

    class Meta:
        model = Grant
        fields: ClassVar[list[str]] = ["until"]


@admin.register(Grant)
class GrantAdmin(VerbAdmin):
    """Who has which role where, and until when."""

    delegated = True
    form = GrantForm
    list_display = ("holder", "role", "pipeline_name", "phase_name", "until", "state", "granted_by")
    list_filter = ("role", ("phase", admin.RelatedOnlyFieldListFilter), ("until", admin.EmptyFieldListFilter))
    search_fields = ("user__username", "user__name", "group__name", "role__name", "phase__name")
    autocomplete_fields = ("user", "group", "role")
    list_select_related = ("user", "group", "role", "phase__pipeline", "granted_by")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        return super().get_queryset(request).filter(phase__in=managed(request))

    @admin.display(description="person or group", ordering=F("user__username").asc(nulls_last=True))
    def holder(self, one: Grant) -> str:
        return str(one.user or f"{one.group} (group)")

    @admin.display(description="pipeline", ordering="phase__pipeline")
    def pipeline_name(self, one: Grant) -> str:
        return one.phase.pipeline.name

    @admin.display(description="phase", ordering="phase__position")
    def phase_name(self, one: Grant) -> str:
        return one.phase.name

    @admin.display(description="counts")
    def state(self, one: Grant) -> str:
        if one.until and one.until <= clock.now():
            return "ended"
        return "not for approvals: given to oneself" if one.user_id and one.user_id == one.granted_by_id else "yes"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj:
            return ["holder", "role", "pipeline_name", "phase_name", "until", "granted_by"]
        return ["user", "group", "role", "pipeline", "phase", "until"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["holder", "role", "pipeline_name", "phase_name", "granted_by"] if obj else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = GrantEndForm if obj else GrantForm
        form = super().get_form(request, obj, change=change, **kwargs)
        if "pipeline" in form.base_fields:
            form.base_fields["pipeline"].queryset = managed_pipelines(request)
            name_phases(form.base_fields["phase"], request)
            form.base_fields["phase"].empty_label = "all phases"
        return form

    def apply(self, actor: Actor, obj: Any, form: Any, change: bool) -> Grant:
        until = form.cleaned_data.get("until")
        if change:
            return actions.grant(
                obj.role, obj.phase, actor=actor, user=obj.user, group=obj.group, until=until, careful=True
            )
        given = form.cleaned_data
        here = permissions.phases_with(actor, "manage_access")
        wanted = Phase.objects.filter(pipeline=given["pipeline"], pk__in=here).order_by("position")
        phases = [given["phase"]] if given.get("phase") else list(wanted)
        if not phases:
            raise Invalid("There is no phase in it where you may manage access.")
        made = [
            actions.grant(
                given["role"], phase, actor=actor, user=given["user"], group=given["group"], until=until, careful=True
            )
            for phase in phases
        ]
        return made[0]

    def remove(self, actor: Actor, obj: Any) -> None:
        actions.revoke(obj, actor=actor, careful=True)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        warn_of(self, request, form.instance.phase)


@admin.register(Rule)
class RuleAdmin(VerbAdmin):
    """What a promotion into a phase needs, and whether it can be met."""

    delegated = True
    form = VerbForm
    fields = ("phase", "name", "role", "count", "allow_requester", "allow_author", "deadline_hours")
    list_display = ("name", "pipeline_name", "phase_name", "role", "count", "people")
    list_select_related = ("phase__pipeline", "role")
    search_fields = ("name", "role__name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        return super().get_queryset(request).filter(phase__in=managed(request))

    pipeline_name = GrantAdmin.pipeline_name
    phase_name = GrantAdmin.phase_name

    @admin.display(description="can be met by")
    def people(self, rule: Rule) -> str:
        names = [user.display for user in permissions.approvers(rule)]
        return f"{len(names)}: {', '.join(names[:5])}{' …' if len(names) > 5 else ''}" if names else "nobody"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["phase"] if obj else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if "phase" in form.base_fields:
            name_phases(form.base_fields["phase"], request)
        return form

    def apply(self, actor: Actor, obj: Any, form: Any, change: bool) -> Rule:
        rule = Rule.objects.select_related("phase", "role").get(pk=obj.pk) if change else None
        given = {name: form.cleaned_data[name] for name in self.fields if name != "phase"}
        phase = rule.phase if rule else form.cleaned_data["phase"]
        if rule is None and Rule.objects.filter(phase=phase, name=given["name"]).exists():
            raise Invalid("There is a rule of that name.", fields={"name": [f"{phase.name} has this rule already."]})
        return actions.set_rule(phase, actor=actor, rule=rule, careful=True, **given)

    def remove(self, actor: Actor, obj: Any) -> None:
        actions.remove_rule(obj, actor=actor)
