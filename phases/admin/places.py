"""Pipelines, phases, applications and environments."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import path, reverse
from django.utils.html import format_html

from phases import actions, configuration, permissions
from phases.drivers.registry import KINDS
from phases.models import Application, Component, Environment, Phase, Pipeline, Variable
from phases.templates import FLAGS, TEMPLATES
from relman.actors import Actor
from relman.errors import Invalid
from relman.identity import actor_of

from . import matrix
from .access import warn_of
from .base import Rows, VerbAdmin, VerbForm, managed, managed_phases, managed_pipelines


class PipelineForm(VerbForm):
    """A new pipeline comes from a template; phases are added and moved on their own page."""

    template = forms.ChoiceField(choices=[(slug, one.name) for slug, one in TEMPLATES.items()], required=False)

    class Meta:
        model = Pipeline
        fields: ClassVar[list[str]] = ["name", "slug", "description", "template", "prerelease_until"]


class PhaseInline(Rows):
    """The phases in order, to look at and to follow."""

    model = Phase
    fields = readonly_fields = ("position", "name", "slug", *FLAGS)
    show_change_link = True
    extra = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Phase]:
        return super().get_queryset(request).filter(pk__in=permissions.visible_phases(actor_of(request)))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(managed(request))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_add_permission


@admin.register(Pipeline)
class PipelineAdmin(VerbAdmin):
    """Ordered lists of phases."""

    delegated = True
    form = PipelineForm
    list_display = ("name", "slug", "phase_count", "roles_link")
    search_fields = ("name", "slug")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Pipeline]:
        seen = Count("phases", filter=Q(phases__in=permissions.visible_phases(actor_of(request))), distinct=True)
        rows: QuerySet[Pipeline] = super().get_queryset(request).annotate(size=seen)
        return rows if actor_of(request).is_superuser else rows.filter(pk__in=managed_pipelines(request))

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(matrix.roles)
        return [path("<slug:key>/roles/", page, name="phases_pipeline_roles"), *super().get_urls()]

    @admin.display(description="roles")
    def roles_link(self, pipeline: Pipeline) -> str:
        where = reverse("admin:phases_pipeline_roles", args=[pipeline.pk])
        return format_html('<a href="{}">Roles<span class="visually-hidden"> of {}</span></a>', where, pipeline.name)

    @admin.display(description="phases", ordering="size")
    def phase_count(self, pipeline: Any) -> int:
        return int(pipeline.size)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return actor_of(request).is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[Any]:
        return [PhaseInline] if obj else []

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        tail = ["prerelease_until"] if obj else ["template"]
        return ["name", "slug", "description", *tail]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["slug"] if obj else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj and "prerelease_until" in form.base_fields:
            seen = permissions.visible_phases(actor_of(request))
            form.base_fields["prerelease_until"].queryset = seen.filter(pipeline=obj).order_by("position")
        return form

    def apply(self, actor: Actor, obj: Any, form: Any, change: bool) -> Pipeline:
        given = form.cleaned_data
        words = {name: given[name] for name in ("name", "description")}
        if not change:
            return actions.create_pipeline(given["template"], actor=actor, slug=given["slug"], **words)
        last = given.get("prerelease_until")
        return actions.edit_pipeline(
            Pipeline.objects.get(pk=obj.pk),
            actor=actor,
            prerelease_until=last,
            prereleases_everywhere=last is None,
            **words,
        )


class PhaseForm(VerbForm):
    """A phase's words, flags and place."""

    like = forms.ModelChoiceField(
        queryset=Phase.objects.none(),
        required=False,
        label="rights and grants like",
        help_text="Of the same pipeline. Without it: the default rights, and nobody has a role in it yet.",
    )
    place = forms.IntegerField(min_value=1, required=False, label="position", help_text="1 is the first.")

    class Meta:
        model = Phase
        fields: ClassVar[list[str]] = ["pipeline", "name", "slug", "description", *FLAGS]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "place" in self.fields:
            self.fields["place"].initial = self.instance.position


@admin.register(Phase)
class PhaseAdmin(VerbAdmin):
    """The stops of pipelines."""

    delegated = True
    form = PhaseForm
    list_display = ("name", "pipeline", "position", "slug", *FLAGS, "rules_met")
    list_display_links = ("name",)
    list_filter = (("pipeline", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("pipeline",)
    search_fields = ("name", "slug", "pipeline__name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Phase]:
        return super().get_queryset(request).filter(pk__in=managed(request))

    @admin.display(description="rules", empty_value="–")
    def rules_met(self, phase: Phase) -> str | None:
        found = permissions.unmeetable_rules(phase)
        return " ".join(one.sentence for one in found) or None

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        flags = ["description", *FLAGS, "place"]
        return ["pipeline", "name", "slug", *flags] if obj else ["pipeline", "name", "slug", *flags, "like"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["pipeline"] if obj else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        for name, rows in (("pipeline", managed_pipelines(request)), ("like", managed_phases(request))):
            if name in form.base_fields:
                form.base_fields[name].queryset = rows
        return form

    def apply(self, actor: Actor, obj: Any, form: Any, change: bool) -> Phase:
        given = form.cleaned_data
        names = ("name", "slug", "description", *FLAGS)
        words = {name: given[name] for name in names if name in given}
        if not change:
            return actions.add_phase(
                given["pipeline"], actor=actor, position=given["place"], like=given["like"], **words
            )
        phase = actions.set_phase(Phase.objects.select_related("pipeline").get(pk=obj.pk), actor=actor, **words)
        if given.get("place") and given["place"] != phase.position:
            actions.move_phase(phase, given["place"], actor=actor)
        return phase

    def remove(self, actor: Actor, obj: Any) -> None:
        actions.remove_phase(obj, actor=actor)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        warn_of(self, request, form.instance)


class ApplicationForm(VerbForm):
    """An application's words."""

    repository = forms.URLField(required=False, assume_scheme="https", max_length=200)

    class Meta:
        model = Application
        fields: ClassVar[list[str]] = [
            "pipeline", "name", "slug", "description", "repository", "ticket_url", "owner",
        ]  # fmt: skip
        help_texts: ClassVar[dict[str, str]] = {"ticket_url": "Where tickets are, with {ticket} for their name."}


@admin.register(Application)
class ApplicationAdmin(VerbAdmin):
    """What travels the pipelines."""

    delegated = True
    form = ApplicationForm
    fields = ("pipeline", "name", "slug", "description", "repository", "ticket_url", "owner")
    autocomplete_fields = ("owner",)
    list_display = ("name", "slug", "pipeline", "owner")
    list_filter = (("pipeline", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("pipeline", "owner")
    search_fields = ("name", "slug")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Application]:
        rows = super().get_queryset(request)
        return rows if actor_of(request).is_superuser else rows.filter(pipeline__in=managed_pipelines(request))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return actor_of(request).is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["pipeline", "slug"] if obj else []

    def apply(self, actor: Actor, obj: Any, form: Any, change: bool) -> Application:
        given = form.cleaned_data
        words = {name: given[name] for name in ("name", "description", "repository", "ticket_url", "owner")}
        if change:
            return actions.edit_application(Application.objects.get(pk=obj.pk), actor=actor, **words)
        return actions.create_application(given["pipeline"], actor=actor, slug=given["slug"], **words)


class EnvironmentForm(VerbForm):
    """Size, settings and configuration. Secrets go in and never come out."""

    driver = forms.ChoiceField(choices=[(kind, kind) for kind in sorted(KINDS)], initial="local")
    plain = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        required=False,
        label="plain values",
        help_text="One KEY=value a line. A line that is taken away takes the value away.",
    )
    secrets = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off"}),
        required=False,
        label="secrets to set",
        help_text="One KEY=value a line; KEY alone with a minus before it (-KEY) takes one away.",
    )

    class Meta:
        model = Environment
        fields: ClassVar[list[str]] = ["application", "phase", "driver", "instances", "memory", "cpu", "settings"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk or "plain" not in self.fields:
            return
        rows = list(Variable.objects.filter(environment=self.instance.pk))
        self.fields["plain"].initial = "\n".join(f"{row.key}={row.value}" for row in rows if not row.secret)
        kept = ", ".join(f"{row.key} (version {row.version})" for row in rows if row.secret)
        self.fields["secrets"].help_text += f" Set already: {kept}." if kept else ""

    def values(self) -> dict[str, Any]:
        """What `set_configuration` is to do."""
        kept = self.fields["plain"].initial or ""
        before = set(pairs(kept))
        plain = pairs(self.cleaned_data.get("plain", ""))
        found: dict[str, Any] = {key: {"value": value, "secret": False} for key, value in plain.items()}
        found.update(dict.fromkeys(before - set(plain)))
        lines = self.cleaned_data.get("secrets", "").splitlines()
        found.update({line.strip()[1:]: None for line in lines if line.strip().startswith("-")})
        secret = pairs("\n".join(line for line in lines if not line.strip().startswith("-")))
        found.update({key: {"value": value, "secret": True} for key, value in secret.items()})
        return found


def pairs(text: str) -> dict[str, str]:
    """KEY=value lines; empty ones are skipped. Invalid for a line without a key."""
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        key, sign, value = line.partition("=")
        if not line.strip():
            continue
        if not sign:
            raise Invalid(f"Nothing was saved. Line {number} is not KEY=value.")
        found[key.strip()] = value
    return found


class ComponentInline(Rows):
    """Infrastructure that the environment uses."""

    model = Component
    fields = ("kind", "name", "identifier", "size", "shared")
    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(managed(request))

    has_add_permission = has_delete_permission = has_view_permission

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Environment)
class EnvironmentAdmin(VerbAdmin):
    """One application in one phase. Changing it needs the right to configure there, for administrators too."""

    delegated = True
    form = EnvironmentForm
    list_display = ("application", "phase", "driver", "instances", "health", "checked_at")
    list_display_links = ("application", "phase")
    list_filter = (("phase", admin.RelatedOnlyFieldListFilter), "driver")
    list_select_related = ("application", "phase__pipeline")
    search_fields = ("application__name", "application__slug", "phase__name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Environment]:
        return super().get_queryset(request).filter(phase__in=managed(request))

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[Any]:
        return [ComponentInline] if obj else []

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        size = ["driver", "instances", "memory", "cpu", "settings"]
        return ["application", "phase", *size, "plain", "secrets"] if obj else ["application", "phase", *size]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["application", "phase", "driver"] if obj else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        pipelines = managed_pipelines(request)
        for name, rows in (
            ("application", Application.objects.filter(pipeline__in=pipelines)),
            ("phase", managed_phases(request)),
        ):
            if name in form.base_fields:
                form.base_fields[name].queryset = rows
        return form

    def apply(self, actor: Actor, obj: Any, form: Any, change: bool) -> Environment:
        given = form.cleaned_data
        size = {name: given[name] for name in ("instances", "memory", "cpu", "settings")}
        if not change:
            return actions.create_environment(
                given["application"], given["phase"], actor=actor, driver=given["driver"], **size
            )
        known = Environment.objects.select_related("application", "phase").get(pk=obj.pk)
        actions.edit_environment(known, actor=actor, **size)
        values = form.values()
        configuration.validate({key: (one or {}).get("value") for key, one in values.items()})
        actions.set_configuration(known, values, actor=actor)
        return known

    def remove(self, actor: Actor, obj: Any) -> None:
        actions.remove_environment(obj, actor=actor)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        actor = actor_of(request)
        formset.save(commit=False)
        for gone in formset.deleted_objects:
            actions.remove_component(gone, actor=actor)
        for one in formset.new_objects:
            actions.add_component(
                form.instance,
                actor=actor,
                kind=one.kind,
                name=one.name,
                identifier=one.identifier,
                size=one.size,
                shared=one.shared,
            )
