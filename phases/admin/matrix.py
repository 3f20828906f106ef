"""The page that matters most: one matrix of a pipeline, role by phase by right, with the people in each role."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from phases.actions.matrix import access_of, change_access, managed
from phases.models import Pipeline, User
from phases.permissions.changes import Plan, foresee
from phases.permissions.state import holder_of
from relman.actors import Actor
from relman.audit.models import Event
from relman.errors import Forbidden, NotFound, RelManError
from relman.identity import actor_of

from .base import newest_event
from .matrix_form import Wish, box_key, is_number, option_of, understand
from .matrix_rows import columns, rows

SUGGESTED = 1000
"""People that the list of suggestions holds; others are found by their account's name."""
SAID = 8
"""Sentences of a message before it counts the rest."""


@require_http_methods(["GET", "HEAD", "POST"])
def roles(request: HttpRequest, key: str) -> HttpResponse:
    """Look at a pipeline's access, try changes out, and save them. `key`: the pipeline's number or short name."""
    actor = actor_of(request)
    pipeline = _pipeline(key)
    phases = managed(pipeline, actor)
    since = newest_event()
    wish = understand(request.POST) if request.method == "POST" else Wish()
    plan = foresee(access_of(pipeline, wish.edits, actor=actor), wish.edits, actor.user)
    others = _others(request, pipeline, plan)
    error = ""
    if request.POST.get("do") == "save" and not wish.errors and not others and plan.edits:
        try:
            if plan.blocked or _agreed(request, plan):
                return _saved(request, pipeline, plan, actor)
        except RelManError as refused:
            error = refused.message
            pipeline.refresh_from_db()
            plan = foresee(access_of(pipeline, wish.edits, actor=actor), wish.edits, actor.user)
            others = _others(request, pipeline, plan)
    asked = request.POST.get("do") == "save" and bool(plan.own) and not request.POST.get("sure")
    context = _context(request, pipeline, plan, wish)
    context |= {"others": others, "refused": error, "asked": asked, "since": since, "all": len(phases)}
    status = 409 if error or (others and request.POST.get("do") == "save") else 200
    return TemplateResponse(request, "admin/phases/pipeline/roles.html", context, status=status)


def _pipeline(key: str) -> Pipeline:
    known = Q(pk=int(key)) if key.isdecimal() and len(key) < 10 else Q()
    found = Pipeline.objects.filter(known | Q(slug=key)).order_by("pk").first()
    if found is None:
        raise NotFound()
    return found


def _agreed(request: HttpRequest, plan: Plan) -> bool:
    """Whether these very sentences were read, and losing one's own access was said again."""
    return request.POST.get("seal") == plan.seal and not (plan.own and not request.POST.get("sure"))


def _saved(request: HttpRequest, pipeline: Pipeline, plan: Plan, actor: Actor) -> HttpResponse:
    revision = request.POST.get("revision", "")
    change_access(
        pipeline,
        plan.edits,
        actor=actor,
        revision=int(revision) if is_number(revision) else 0,
        seal=request.POST.get("seal", ""),
        sure=bool(request.POST.get("sure")),
    )
    said = [
        line.head.replace(" then no longer ", " no longer ").replace(" then ", " now ")
        for line in plan.lines
        if line.key
    ]
    more = f" And {len(said) - SAID} more, all in the record." if len(said) > SAID else ""
    messages.success(request, f"Saved. {' '.join(said[:SAID])}{more}")
    shown = request.POST.get("show", "")
    try:
        managed(pipeline, Actor(actor.user, actor.via))
    except Forbidden:
        return HttpResponseRedirect(reverse("pipeline", args=[pipeline.slug]))
    except NotFound:
        return HttpResponseRedirect(reverse("board"))
    where = reverse("admin:phases_pipeline_roles", args=[pipeline.pk])
    return HttpResponseRedirect(f"{where}?phase={shown}" if shown.replace("-", "").isalnum() else where)


def _others(request: HttpRequest, pipeline: Pipeline, plan: Plan) -> list[Event]:
    """What somebody else changed here since the form was read: empty when nobody did."""
    said = request.POST.get("revision", "")
    if request.method != "POST" or said == str(pipeline.revision):
        return []
    since = request.POST.get("since", "")
    groups = [holder.pk for one in plan.before.grants if isinstance(holder := holder_of(one), Group)]
    here = Q(pipeline_id=pipeline.pk) | Q(phase_id__in=[phase.pk for phase in plan.before.phases])
    here |= Q(verb="group.members_changed", subject_id__in=groups)
    kinds = Q(verb__startswith="grant.") | Q(verb__startswith="rule.") | Q(verb__startswith="role.")
    kinds |= Q(verb__startswith="phase.") | Q(verb__startswith="group.") | Q(verb="pipeline.edited")
    found = Event.objects.filter(here & kinds, outcome="done", id__gt=int(since) if is_number(since) else 0)
    return list(found.order_by("id")[:50]) or [Event(actor_name="Somebody", detail="Something here was changed.")]


def _context(request: HttpRequest, pipeline: Pipeline, plan: Plan, wish: Wish) -> dict[str, Any]:
    shown = columns(plan, wish)
    wanted = request.POST.get("phase") or request.POST.get("show") or request.GET.get("phase", "")
    at = next((column for column in shown if column.phase.slug == wanted), shown[0])
    return {
        **admin.site.each_context(request),
        "title": f"Roles of {pipeline.name}",
        "pipeline": pipeline,
        "applications": pipeline.applications.count(),
        "opts": Pipeline._meta,
        "is_nav_sidebar_enabled": False,
        "plan": plan,
        "count": len(plan.edits),
        "columns": shown,
        "shown": at,
        "rows": rows(plan, wish, shown),
        "span": sum(len(column.rights) for column in shown),
        "roles": list(plan.before.roles.values()),
        "was": " ".join(sorted(map(box_key, plan.before.boxes))),
        "phases": "-".join(str(column.phase.pk) for column in shown),
        "suggestions": _suggestions(),
        "errors": [text for name, text in wish.errors.items() if not name.startswith(("who-", "rname-", "count-"))],
        "wrong": bool(wish.errors),
    }


def _suggestions() -> list[str]:
    people = User.objects.filter(is_active=True).order_by("name", "username")[:SUGGESTED]
    return [*map(option_of, people), *map(option_of, Group.objects.order_by("name")[:SUGGESTED])]
