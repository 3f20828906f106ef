"""Promotions: ask, look, decide, stop, try again."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from releases import actions, queries, statuses
from releases.api import serializers as shapes
from releases.models import Promotion
from relman.actors import Actor
from relman.api import Body, View, flag, number, one_of, text
from relman.schema import made, page_of

LINES = 1000
"""Lines of a log in one answer."""


class Promotions(View):
    """All promotions that you see."""

    filters = {
        "application": text,
        "phase": text,
        "version": text,
        "status": one_of(*statuses.STATUSES),
        "kind": one_of(*statuses.KINDS),
        "open": flag,
        "requested_by": text,
    }
    paged = True
    fields = {
        "application": "release__application__slug",
        "phase": "environment__phase__slug",
        "version": "release__version",
        "status": "status",
        "kind": "kind",
        "requested_by": "requested_by__username",
    }

    @extend_schema(responses=page_of(shapes.PromotionShown))
    def get(self, request: Request) -> Response:
        """List promotions, newest first. `open`: whether they have not ended yet."""
        rows = queries.visible_promotions(self.actor).filter(
            **{field: self.asked[name] for name, field in self.fields.items() if name in self.asked}
        )
        if "open" in self.asked:
            rows = rows.filter(status__in=statuses.OPEN if self.asked["open"] else statuses.ENDED)
        return self.page(with_names(rows), "-id", lambda row: shapes.PromotionShown(row).data)

    @extend_schema(
        request=shapes.NewPromotion,
        responses={201: made(shapes.PromotionInFull, "Asked for: `waiting`, or `queued` when nothing waits.")},
    )
    def post(self, request: Request) -> Response:
        """Ask to bring a release into a phase. When a gate refuses: 409 with `verdicts`."""
        said = self.read(shapes.NewPromotion)
        release = queries.get_release(self.actor, said["application"], said.pop("version"))
        environment = queries.get_environment(self.actor, said.pop("application"), said.pop("phase"))
        promotion = actions.request_promotion(release, environment, actor=self.actor, **said)
        return Response(promotion_shown(promotion, self.actor), status=201)


class OnePromotion(View):
    """One promotion."""

    @extend_schema(responses=shapes.PromotionInFull)
    def get(self, request: Request, number: int) -> Response:
        """Read a promotion: steps, what every gate says now, approvals."""
        return Response(promotion_shown(queries.get_promotion(self.actor, number), self.actor))


class Log(View):
    """The log of one promotion."""

    filters = {"after": number, "step": number}

    @extend_schema(responses=shapes.LogPage)
    def get(self, request: Request, number: int) -> Response:
        """Read log lines, oldest first; `after`: only those with a greater n."""
        promotion = queries.get_promotion(self.actor, number)
        rows = promotion.lines.filter(pk__gt=self.asked.get("after", 0))
        if "step" in self.asked:
            rows = rows.filter(step=self.asked["step"])
        found = list(rows.order_by("pk")[: LINES + 1])
        more = found[LINES - 1].pk if len(found) > LINES else None
        page = {"results": found[:LINES], "next": self._link(more), "complete": more is None and is_over(promotion)}
        return Response(shapes.LogPage(page).data)

    def _link(self, after: int | None) -> str | None:
        if after is None:
            return None
        query = self.request.query_params.copy()
        query["after"] = str(after)
        return self.request.build_absolute_uri(f"{self.request.path}?{query.urlencode()}")


class Verb(View):
    """One verb on one promotion: the request's fields are the verb's arguments."""

    body: type[Body] = shapes.Comment
    status = 200

    def act(self, promotion: Promotion, said: dict[str, Any]) -> Promotion:
        """Call the verb."""
        raise NotImplementedError

    def answer(self, number: int) -> Response:
        """Find, act, show."""
        promotion = queries.get_promotion(self.actor, number)
        done = self.act(promotion, self.read(self.body))
        return Response(promotion_shown(done, self.actor), status=self.status)


class Approve(Verb):
    """Yes."""

    body = shapes.Approve

    @extend_schema(request=shapes.Approve, responses=shapes.PromotionInFull)
    def post(self, request: Request, number: int) -> Response:
        """Approve. With a `seal` that is not today's: 409, and nothing is signed."""
        return self.answer(number)

    def act(self, promotion: Promotion, said: dict[str, Any]) -> Promotion:
        """Sign."""
        return actions.approve(promotion, actor=self.actor, **said)


class Reject(Verb):
    """No."""

    body = shapes.Reject

    @extend_schema(request=shapes.Reject, responses=shapes.PromotionInFull)
    def post(self, request: Request, number: int) -> Response:
        """Reject, with a comment: the promotion ends."""
        return self.answer(number)

    def act(self, promotion: Promotion, said: dict[str, Any]) -> Promotion:
        """Refuse."""
        return actions.reject(promotion, actor=self.actor, **said)


class Withdraw(Verb):
    """Neither."""

    body = Body

    @extend_schema(request=None, responses=shapes.PromotionInFull)
    def post(self, request: Request, number: int) -> Response:
        """Take your own approval back, as long as the promotion has not started."""
        return self.answer(number)

    def act(self, promotion: Promotion, said: dict[str, Any]) -> Promotion:
        """Take back."""
        return actions.withdraw_approval(promotion, actor=self.actor)


class Cancel(Verb):
    """Before it runs."""

    @extend_schema(request=shapes.Comment, responses=shapes.PromotionInFull)
    def post(self, request: Request, number: int) -> Response:
        """Withdraw a promotion that has not started."""
        return self.answer(number)

    def act(self, promotion: Promotion, said: dict[str, Any]) -> Promotion:
        """Cancel."""
        return actions.cancel(promotion, actor=self.actor, **said)


class Expedite(Verb):
    """Before everything else."""

    body = shapes.Reason

    @extend_schema(request=shapes.Reason, responses=shapes.PromotionInFull)
    def post(self, request: Request, number: int) -> Response:
        """Move a promotion that has not started to the front of the queue. Its gates stay as they are."""
        return self.answer(number)

    def act(self, promotion: Promotion, said: dict[str, Any]) -> Promotion:
        """Move it."""
        return actions.expedite(promotion, actor=self.actor, **said)


class Abort(Verb):
    """While it runs."""

    @extend_schema(request=shapes.Comment, responses=shapes.PromotionInFull)
    def post(self, request: Request, number: int) -> Response:
        """Stop a promotion that runs; what it had started is cleaned up."""
        return self.answer(number)

    def act(self, promotion: Promotion, said: dict[str, Any]) -> Promotion:
        """Abort."""
        return actions.abort(promotion, actor=self.actor, **said)


class Resolve(Verb):
    """After its outcome was lost."""

    body = shapes.Resolve

    @extend_schema(request=shapes.Resolve, responses=shapes.PromotionInFull)
    def post(self, request: Request, number: int) -> Response:
        """Say how an errored promotion really ended: `as` done or failed."""
        return self.answer(number)

    def act(self, promotion: Promotion, said: dict[str, Any]) -> Promotion:
        """Resolve."""
        return actions.resolve(promotion, actor=self.actor, outcome=said.pop("as"), **said)


class Retry(Verb):
    """Again."""

    status = 201

    @extend_schema(
        request=shapes.Comment, responses={201: made(shapes.PromotionInFull, "The new promotion; `retry_of` names it.")}
    )
    def post(self, request: Request, number: int) -> Response:
        """Ask again for what ended without success, as a new promotion."""
        return self.answer(number)

    def act(self, promotion: Promotion, said: dict[str, Any]) -> Promotion:
        """Try again."""
        return actions.retry(promotion, actor=self.actor, **said)


def with_names(rows: QuerySet[Promotion]) -> QuerySet[Promotion]:
    """With all that a line of a list shows, in one query."""
    people = ("requested_by", "emergency_by")
    return rows.select_related("release__application", "environment__phase", "replaces", *people)


def is_over(promotion: Promotion) -> bool:
    """Whether nothing more will come into its log."""
    return not promotion.is_open and promotion.cleanup != "due"


def promotion_shown(promotion: Promotion, actor: Actor) -> Any:
    """A promotion as the API shows it, with today's verdicts and its place in the queue while they still matter."""
    verdicts = queries.verdicts_of(promotion, actor) if promotion.is_open else []
    # The steps of the way back are news only when they are walked.
    steps = [step for step in promotion.steps.all() if step.when != "undo" or step.status != "pending"]
    answered = Promotion.objects.filter(rolls_back=promotion).values_list("pk", flat=True).first()
    promotion.__dict__.update(verdicts=verdicts, shown=steps, answered_by=answered)
    promotion.__dict__.update(queue=queries.queue_of(actor, promotion))
    return shapes.PromotionInFull(promotion).data
