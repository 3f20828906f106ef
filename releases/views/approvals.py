"""Decisions: what waits for one, the page to decide on, and the decision."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from releases import actions, forms, queries
from releases.models import Promotion
from releases.queries.approvals import approvals_page
from releases.queries.approve import approve_page
from relman.actors import Actor
from relman.identity import actor_of
from relman.pages import Done, acting, answer, choice, dialog, draw, filled, fragment, page


@page
def approvals(request: HttpRequest) -> HttpResponse:
    """The inbox."""
    tab = choice(request.GET.get("tab"), "you", "others", "decided")
    return draw(request, "approvals.html", approvals_page(actor_of(request), tab))


@page
def count(request: HttpRequest) -> HttpResponse:
    """How many wait for the reader, and how the phases beside every page are."""
    return fragment(request, "_shell_live.html")


@acting
def approve(request: HttpRequest, promotion: int) -> HttpResponse:
    """Everything one needs for a yes or a no, and the form for it."""
    actor = actor_of(request)
    found = queries.get_promotion(actor, promotion)
    form = filled(request, forms.Decision)

    def act(said: dict[str, Any]) -> Done:
        return Done(reverse("approve", args=[promotion]), _decide(found, actor, **said))

    def show() -> HttpResponse:
        shown = approve_page(actor, queries.get_promotion(actor, promotion))
        return draw(request, "approve.html", shown, form=form)

    return answer(request, form, act, show)


def _decide(found: Promotion, actor: Actor, *, decision: str, comment: str, seal: str) -> str:
    """Run the verb; what to say of it."""
    if decision == "withdraw":
        actions.withdraw_approval(found, actor=actor)
        return "You took your approval back."
    verb = actions.approve if decision == "approve" else actions.reject
    verb(found, actor=actor, comment=comment, seal=seal)
    return "You approved it." if decision == "approve" else "You rejected it. The team reads your comment."


@page
def confirm(request: HttpRequest, promotion: int) -> HttpResponse:
    """The last look before a yes, on a phone without scripts."""
    actor = actor_of(request)
    shown = approve_page(actor, queries.get_promotion(actor, promotion))
    back = reverse("approve", args=[promotion])
    title = f"Approve {shown.ask.application.name} {shown.ask.version} for {shown.ask.phase.name}"
    return dialog(request, "confirm.html", shown, title=title, back=back, trail=[(reverse("approvals"), "Approvals")])
