"""The event stream: topics that move, without content, for those who may see them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from phases import permissions
from releases import queries
from relman import live
from relman.actors import Actor
from relman.identity import actor_of

MOST = 200
"""Topics of one page."""


async def events(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """`?topics=application:shop,promotion:12`. What the reader may not see is silently left out. `since`: when the page
    was drawn, in milliseconds; what moved between then and now is told at once."""
    wanted = list(dict.fromkeys(request.GET.get("topics", "").split(",")))[:MOST]
    topics = await sync_to_async(_allowed)(request, wanted)
    if topics is None:
        return HttpResponse("Sign in to watch.", status=401, content_type="text/plain; charset=utf-8")
    drawn = request.GET.get("since", "")
    return live.stream(topics, int(drawn) / 1000 if _is_number(drawn) else None)


def _allowed(request: HttpRequest, wanted: Iterable[str]) -> list[str] | None:
    """The topics that this person may watch; None: nobody is signed in."""
    try:
        if not request.user.is_authenticated:
            return None
        actor = actor_of(request)
        return [topic for topic in wanted if may_watch(actor, topic)]
    finally:
        # The stream lives for minutes: it must not keep a connection of the pool.
        if not connection.in_atomic_block:
            connection.close()


def may_watch(actor: Actor, topic: str) -> bool:
    """Whether what the topic speaks of is visible to the actor."""
    kind, _, name = topic.partition(":")
    if topic in SHARED:
        return True
    known = KINDS.get(kind)
    return known is not None and bool(name) and known(actor, name)


def _application(actor: Actor, name: str) -> bool:
    if "watchable" not in actor.memo:
        actor.memo["watchable"] = frozenset(permissions.visible_applications(actor).values_list("slug", flat=True))
    return name in actor.memo["watchable"]


def _pipeline(actor: Actor, name: str) -> bool:
    return permissions.visible_pipelines(actor).filter(slug=name).exists()


def _promotion(actor: Actor, name: str) -> bool:
    return _is_number(name) and queries.visible_promotions(actor).filter(pk=int(name)).exists()


def _environment(actor: Actor, name: str) -> bool:
    return _is_number(name) and permissions.visible_environments(actor).filter(pk=int(name)).exists()


def _phase(actor: Actor, name: str) -> bool:
    return _is_number(name) and int(name) in permissions.permission_map(actor)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


SHARED = ("approvals", "board", "maintenance")
"""Say only that something moved somewhere; the fragment that is fetched then shows what the reader may see."""
KINDS: dict[str, Callable[[Actor, str], bool]] = {
    "application": _application,
    "board": _pipeline,
    "promotion": _promotion,
    "log": _promotion,
    "environment": _environment,
    "phase": _phase,
}
