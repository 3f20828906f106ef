"""What every endpoint of the API shares: who asks, strict input, pages of a list, once per Idempotency-Key."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.dateparse import parse_datetime
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, serializers
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from relman import clock, idempotency
from relman.actors import Actor
from relman.errors import Invalid, NotFound
from relman.identity import NOTHING_SHOWN, actor_of
from relman.schema import Schema

PAGE = 50
LARGEST_PAGE = 200


class Document(JSONParser):
    """JSON, nested as deep as Python reads it."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """The document. ParseError when it is none."""
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise exceptions.ParseError("The JSON is nested too deeply.") from None


class Body(serializers.Serializer[Any]):
    """What a request may say. A field that is not listed is refused, never ignored."""

    def to_internal_value(self, data: Any) -> Any:
        """The validated fields; a sentence for each unknown one."""
        if isinstance(data, Mapping):
            unknown = sorted(str(name) for name in set(data) - set(self.fields))
            if unknown:
                known = ", ".join(sorted(self.fields)) or "nothing"
                raise serializers.ValidationError({name: [f"Unknown field. Known: {known}."] for name in unknown})
        return super().to_internal_value(data)


def text(value: str) -> str:
    """A filter that is a text."""
    return value


def number(value: str) -> int:
    """A filter that is a whole number."""
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise ValueError("must be a whole number")
    return int(value)


def moment(value: str) -> datetime:
    """A filter that is a time with its zone."""
    parsed = parse_datetime(value.replace(" ", "+"))
    if parsed is None or parsed.tzinfo is None:
        raise ValueError("must be a time with its zone, like 2026-06-16T14:31:58Z")
    if parsed.year not in clock.YEARS:
        raise ValueError(f"must lie between the years {clock.YEARS.start} and {clock.YEARS.stop - 1}")
    return parsed.astimezone(UTC)  # the database knows no zone that is 16 hours away


def flag(value: str) -> bool:
    """A filter that is true or false."""
    if value not in ("true", "false"):
        raise ValueError("must be true or false")
    return value == "true"


def one_of(*words: str) -> Callable[[str], str]:
    """A filter that is one of these words."""

    def parse(value: str) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return value

    parse.words = words  # type: ignore[attr-defined]  # a mark on the filter
    return parse


Filters = Mapping[str, Callable[[str], Any]]


class View(APIView):
    """One address of the API. `filters`: what a GET may ask, by name. POST answers once per Idempotency-Key."""

    schema = Schema()
    parser_classes = [Document]
    filters: ClassVar[Filters] = {}
    once_only: ClassVar[tuple[str, ...]] = ()
    """Fields of POST's answer that are shown once: not kept for its Idempotency-Key; a repetition says null."""
    paged: ClassVar[bool] = False
    actor: Actor
    asked: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "post" in cls.__dict__:
            cls.post = _once(cls.__dict__["post"])  # type: ignore[attr-defined]  # of the views that have one

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Who asks (401), what they ask for (400), and the view's own check, before any of a body is read."""
        super().initial(request, *args, **kwargs)
        self.actor = actor_of(request)
        self.asked = self._asked(request)
        self.before(request, **kwargs)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[Any, str]:
        """Always JSON, whatever is asked for: there is nothing else to give."""
        return JSONRenderer(), "application/json"

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Nobody between keeps an answer: it is one person's."""
        final = super().finalize_response(request, response, *args, **kwargs)
        final.setdefault("Cache-Control", "no-store")
        return final

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> Any:
        """Nobody is signed in: the one thing DRF itself refuses here."""
        raise exceptions.NotAuthenticated(NOTHING_SHOWN)

    def before(self, request: Request, **kwargs: Any) -> None:
        """A view that takes uploads asks the right here."""

    def _asked(self, request: Request) -> dict[str, Any]:
        """The parsed filters. Raises Invalid for an unknown one: a misspelt filter must not list everything."""
        known: dict[str, Callable[[str], Any]] = {}
        if request.method in ("GET", "HEAD"):
            known = {**self.filters, **({"cursor": text, "limit": number} if self.paged else {})}
        asked: dict[str, Any] = {}
        wrong: dict[str, list[str]] = {}
        for name, values in request.query_params.lists():
            try:
                asked[name] = known[name](values[-1])
            except KeyError:
                wrong[name] = [f"Unknown filter. Known: {', '.join(sorted(known)) or 'none'}."]
            except ValueError as error:
                wrong[name] = [f"It {error}."]
        if wrong:
            raise Invalid("A filter is not right: " + ", ".join(sorted(wrong)) + ".", fields=wrong)
        return asked

    def read(self, body: type[Body]) -> dict[str, Any]:
        """The request's fields, checked. Raises ValidationError."""
        serializer = body(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def page(self, rows: QuerySet[Any], by: str, show: Callable[[Any], Any]) -> Response:
        """One page of a list ordered by a unique field (`-id`, `slug`): {results, next}. One query."""
        field, down = by.removeprefix("-"), by.startswith("-")
        size = max(1, min(self.asked.get("limit", PAGE), LARGEST_PAGE))
        if "cursor" in self.asked:
            rows = rows.filter(**{f"{field}__{'lt' if down else 'gt'}": unpacked(self.asked["cursor"], field)})
        found = list(rows.order_by(by)[: size + 1])
        last = str(getattr(found[size - 1], field)) if len(found) > size else None
        return self.listed([show(row) for row in found[:size]], last)

    def listed(self, results: Any, last: str | None) -> Response:
        """A page whose last item has this key; None: it is the last page."""
        link = None
        if last is not None:
            query = self.request.query_params.copy()
            query["cursor"] = packed(last)
            link = self.request.build_absolute_uri(f"{self.request.path}?{query.urlencode()}")
        return Response({"results": results, "next": link})


def packed(key: str) -> str:
    """A list's key as an opaque cursor."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def unpacked(cursor: str, field: str = "id") -> str:
    """The key that a cursor holds. Raises Invalid for one that RelMan did not make."""
    try:
        key = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        key = ""
    if not key or "\x00" in key or (field == "id" and not (key.isascii() and key.isdigit() and len(key) < 19)):
        raise Invalid("The cursor is none of RelMan's: follow `next` as it is.", fields={"cursor": ["Not a cursor."]})
    return key


def _once(post: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let a POST answer once for each Idempotency-Key."""

    @wraps(post)
    def inner(self: View, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return post(self, request, *args, **kwargs)
        asked = idempotency.fingerprint(request.data, request.FILES, self.actor)
        return idempotency.once(
            self.actor, request.path, key, asked, lambda: post(self, request, *args, **kwargs), self.once_only
        )

    return inner


@csrf_exempt
def unknown(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """Any other address below /api/v1/: 404 as a problem document, whatever the method. Nothing is done here, so no
    form's key is asked for: a program that left out the last slash is told about the slash."""
    slash = "" if request.path.endswith("/") else " Each ends with a slash."
    raise NotFound(f"There is no such address in the API. /api/docs/ lists them all.{slash}")
