"""What every admin page shares: changes are verbs, refusals are messages, messages say what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import NON_FIELD_ERRORS
from django.db.models import Max, Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from phases import permissions
from phases.models import Phase, Pipeline
from phases.permissions import Unmeetable
from relman.actors import Actor
from relman.audit import recording
from relman.audit.models import Event
from relman.errors import NotFound, RelManError
from relman.identity import actor_of

if TYPE_CHECKING:
    Page = admin.ModelAdmin[Any]
    Rows = admin.TabularInline[Any, Any]
    RowForm = forms.ModelForm[Any]
else:
    Page, Rows, RowForm = admin.ModelAdmin, admin.TabularInline, forms.ModelForm


FILTERS = ("exact", "id__exact", "isnull", "isempty", "gte", "lt")
"""How the filters of Django's lists ask, behind the name of their field."""


def managed(request: HttpRequest) -> frozenset[int]:
    """Ids of the phases in which whoever asks may manage access."""
    return permissions.phases_with(actor_of(request), "manage_access")


def managed_phases(request: HttpRequest) -> QuerySet[Phase]:
    """The phases in which whoever asks may manage access."""
    return Phase.objects.filter(pk__in=managed(request)).select_related("pipeline")


def managed_pipelines(request: HttpRequest) -> QuerySet[Pipeline]:
    """The pipelines of those phases."""
    return Pipeline.objects.filter(phases__in=managed(request)).distinct()


class VerbAdmin(Page):
    """An admin page whose saving and deleting are verbs. Administrators only, unless a page says otherwise."""

    save_on_top = False
    show_full_result_count = False
    list_per_page = 100
    delegated: ClassVar[bool] = False
    """Whether people who only manage access may use it, for the pipelines where they do."""

    # Who may

    def may(self, request: HttpRequest) -> bool:
        """Whether this page is for whoever asks."""
        actor = actor_of(request)
        return actor.is_superuser or (self.delegated and bool(managed(request)))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.may(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request)

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        """Only what the page offers as a filter: any other question would tell of fields that it does not show."""
        offered = [one[0] if isinstance(one, tuple) else one for one in self.get_list_filter(request)]
        return any(lookup in (name, *(f"{name}__{end}" for end in FILTERS)) for name in offered)

    # Verbs

    def apply(self, actor: Actor, obj: Any, form: Any, change: bool) -> Model:
        """The verb behind Save; returns the row as it is then."""
        raise NotImplementedError

    def remove(self, actor: Actor, obj: Any) -> None:
        """The verb behind Delete."""
        raise NotImplementedError

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        since = newest_event()
        saved = self.apply(actor_of(request), obj, form, change)
        obj.__dict__.update(saved.__dict__)
        self.told(request, since)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        for formset in formsets:
            self.save_formset(request, form, formset, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        since = newest_event()
        self.remove(actor_of(request), obj)
        self.told(request, since)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """The verb decides what may go: this names what is asked for and nothing else."""
        return [str(one) for one in objs], {str(self.opts.verbose_name_plural): len(objs)}, set(), []

    # Words

    def told(self, request: HttpRequest, since: int) -> None:
        """Collect the sentences of what was recorded, for the message."""
        actor = actor_of(request)
        events = Event.objects.filter(id__gt=since, actor_id=actor.user.pk if actor.user else None, outcome="done")
        sentences = [event.detail or f"{event.verb}: {event.subject}" for event in events.order_by("id")]
        request.__dict__.setdefault("_relman_told", []).extend(sentences)

    def message_user(
        self,
        request: HttpRequest,
        message: Any,
        level: int | str = messages.INFO,
        extra_tags: str = "",
        fail_silently: bool = False,
    ) -> None:
        """In place of "was changed successfully": what changed."""
        if level == messages.SUCCESS:
            message = (
                " ".join(request.__dict__.pop("_relman_told", [])) or "Nothing was different: nothing was changed."
            )
        super().message_user(request, message, level, extra_tags, fail_silently)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """The record is RelMan's own: no second log beside it."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """See log_addition."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """See log_addition."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The record of this object."""
        found = self.get_object(request, unquote(object_id))
        if found is None:
            raise NotFound()
        where = reverse("admin:audit_event_changelist")
        return HttpResponseRedirect(f"{where}?subject_type={self.opts.model_name}&subject_id={found.pk}")

    # Refusals

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except RelManError as error:
            recording.again(error)
            request.__dict__["_relman_refused"] = error
            return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except RelManError as error:
            recording.again(error)
            super().message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(
                reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[object_id])
            )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"_post_clean": _post_clean(form, request)})


def _post_clean(form: Any, request: HttpRequest) -> Callable[[Any], None]:
    """Shows the verb's refusal on the form that caused it; the verb, not the form, knows the constraints."""

    def post_clean(self: Any) -> None:
        form._post_clean(self)
        error: RelManError | None = request.__dict__.get("_relman_refused")
        if error is None:
            return
        fields = {name: said for name, said in error.extra.get("fields", {}).items() if name in self.fields}
        for name, said in (fields or {NON_FIELD_ERRORS: [error.message]}).items():
            self.add_error(None if name == NON_FIELD_ERRORS else name, said)

    return post_clean


class ReadOnlyAdmin(VerbAdmin):
    """An admin page to look at."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class VerbForm(RowForm):
    """A form whose row the verb checks: uniqueness and constraints are its business."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field.widget, forms.SplitDateTimeWidget):
                for part, word in zip(field.widget.widgets, ("date", "time"), strict=True):
                    part.attrs["aria-label"] = f"{field.label}, {word}"

    def validate_unique(self) -> None:
        """The verb says it in its own sentence."""

    def validate_constraints(self) -> None:
        """The verb says it in its own sentence."""


def newest_event() -> int:
    """Id of the newest event."""
    return Event.objects.aggregate(newest=Max("id"))["newest"] or 0


def warn(page: VerbAdmin, request: HttpRequest, found: Iterable[Unmeetable]) -> None:
    """Say which rules nobody can meet."""
    for one in found:
        page.message_user(request, one.sentence, messages.WARNING)


def labelled(formset: Any, words: Sequence[tuple[str, str]]) -> Any:
    """Give the fields of a tabular inline a name for screen readers: "Person, row 1"."""
    for number, form in enumerate(formset.forms, start=1):
        for name, word in words:
            if name in form.fields:
                widget = form.fields[name].widget
                getattr(widget, "widget", widget).attrs["aria-label"] = f"{word}, row {number}"
    return formset
