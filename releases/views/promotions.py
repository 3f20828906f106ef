"""One promotion: its page, the parts that move, its log, and what a person may do to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms as django_forms
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse

from releases import actions, forms, queries
from releases.models import Promotion
from releases.queries.logs import log_text
from releases.queries.promotion import promotion_log, promotion_page
from releases.queries.report import report, report_text
from relman.identity import actor_of
from relman.pages import Done, acting, dialog_page, draw, filled, fragment, number, page


@page
def promotion(request: HttpRequest, promotion: int) -> HttpResponse:
    """One promotion, its steps and its log."""
    return draw(request, "promotion.html", _shown(request, promotion), resolve_form=forms.Resolve())


@page
def progress(request: HttpRequest, promotion: int) -> HttpResponse:
    """All of the page that moves, but the log."""
    return fragment(request, "_promotion_live.html", _shown(request, promotion), resolve_form=forms.Resolve())


def _shown(request: HttpRequest, promotion: int) -> Any:
    actor = actor_of(request)
    found = queries.get_promotion(actor, promotion)
    step = request.GET.get("step")
    return promotion_page(actor, found, None if step is None else number(step, 0))


@page
def log(request: HttpRequest, promotion: int) -> HttpResponse:
    """Lines of the log that came after a line."""
    actor = actor_of(request)
    asked = {name: number(request.GET.get(name), 0) for name in ("step", "after")}
    return fragment(
        request, "_log_lines.html", log=promotion_log(actor, queries.get_promotion(actor, promotion), **asked)
    )


@page
def log_file(request: HttpRequest, promotion: int) -> HttpResponse:
    """The whole log as a text file."""
    found = queries.get_promotion(actor_of(request), promotion)
    response = HttpResponse(log_text(found), content_type="text/plain; charset=utf-8")
    return _as_file(response, f"promotion-{promotion}.log")


@page
def report_text_file(request: HttpRequest, promotion: int) -> HttpResponse:
    """What is known of it, as a text to send along."""
    actor = actor_of(request)
    lines = report_text(report(actor, queries.get_promotion(actor, promotion)))
    response = HttpResponse(lines, content_type="text/plain; charset=utf-8")
    return _as_file(response, f"promotion-{promotion}-report.txt")


@page
def report_json_file(request: HttpRequest, promotion: int) -> HttpResponse:
    """The same for programs."""
    actor = actor_of(request)
    found = report(actor, queries.get_promotion(actor, promotion))
    return _as_file(JsonResponse(found, json_dumps_params={"indent": 1}), f"promotion-{promotion}-report.json")


def _as_file(response: HttpResponse, name: str) -> HttpResponse:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@acting
def cancel(request: HttpRequest, promotion: int) -> HttpResponse:
    """Withdraw it before it runs."""
    return _end(request, promotion, "cancel", actions.cancel, "The promotion is cancelled.")


@acting
def expedite(request: HttpRequest, promotion: int) -> HttpResponse:
    """Move it to the front of the queue."""
    return _end(request, promotion, "expedite", actions.expedite, "It is in front of the queue now.", forms.Reason)


@acting
def abort(request: HttpRequest, promotion: int) -> HttpResponse:
    """Stop it while it runs."""
    return _end(request, promotion, "abort", actions.abort, "It stops at the next safe place.")


@acting
def retry(request: HttpRequest, promotion: int) -> HttpResponse:
    """Ask for it again."""
    return _end(request, promotion, "retry", actions.retry, "Asked for again.")


@acting
def reject(request: HttpRequest, promotion: int) -> HttpResponse:
    """Say no to it."""
    return _end(request, promotion, "reject", actions.reject, "You rejected it. The team reads your comment.")


@acting
def resolve(request: HttpRequest, promotion: int) -> HttpResponse:
    """Say what is true of one whose outcome is unknown."""

    def verb(found: Promotion, *, actor: Any, reason: str, **said: str) -> Promotion:
        if said["as"] == "again":
            return actions.retry(found, actor=actor, comment=reason)
        return actions.resolve(found, actor=actor, outcome=said["as"], comment=reason)

    return _end(request, promotion, "resolve", verb, "Your decision is saved.", forms.Resolve)


TITLES = {
    "cancel": "Cancel the promotion of {release} to {phase}",
    "expedite": "Put {release} to {phase} in front",
    "abort": "Abort the promotion of {release} to {phase}",
    "retry": "Retry {release} to {phase}",
    "reject": "Reject {release} for {phase}",
    "resolve": "Decide what happened to {release} in {phase}",
}
"""A dialog as a page of its own is called as its button is."""


def _end(
    request: HttpRequest,
    promotion: int,
    name: str,
    verb: Callable[..., Promotion],
    said: str,
    kind: type[django_forms.Form] = forms.Comment,
) -> HttpResponse:
    """One dialog of a promotion: its form, and the verb it runs."""
    actor = actor_of(request)
    found = queries.get_promotion(actor, promotion)
    back = reverse("promotion", args=[promotion])

    def act(given: dict[str, Any]) -> Done:
        ended = verb(found, actor=actor, **given)
        return Done(reverse("promotion", args=[ended.pk]), said)

    return dialog_page(
        request,
        f"{name}.html",
        filled(request, kind),
        act,
        lambda: promotion_page(actor, found),
        title=TITLES[name].format(release=found.release, phase=found.environment.phase.name),
        back=back,
        trail=[(back, f"Promotion to {found.environment.phase.name}")],
    )
