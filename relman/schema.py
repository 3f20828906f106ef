"""The API's description: parameters from a view's filters, and every error as the one problem document."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

TYPES: dict[str, Any] = {"number": int, "moment": "date-time", "flag": bool}


def ours(endpoints: list[Any]) -> list[Any]:
    """The addresses that the description speaks of."""
    return [one for one in endpoints if one[0].startswith("/api/v1/")]


class Problem(serializers.Serializer[Any]):
    """An error (RFC 9457). `code` is stable and for programs, `detail` is the sentence for people."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    fields_ = serializers.DictField(child=serializers.ListField(child=serializers.CharField()), required=False)
    roles = serializers.ListField(child=serializers.CharField(), required=False)
    people = serializers.ListField(child=serializers.CharField(), required=False)
    verdicts = serializers.ListField(child=serializers.DictField(), required=False)

    def get_fields(self) -> dict[str, Any]:
        """`fields` is a name that the serializer itself needs."""
        found = super().get_fields()
        return {name.rstrip("_"): field for name, field in found.items()}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its own is untyped
    """How a token is sent."""

    target_class = "relman.identity.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """The scheme as OpenAPI names it."""
        return {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer <token>"}


class Schema(AutoSchema):
    """drf-spectacular's view of one endpoint, with what all of ours have."""

    def get_override_parameters(self) -> list[Any]:
        """Filters, cursor and limit of a list; the Idempotency-Key of a POST."""
        if self.method == "POST":
            return [_KEY]
        if self.method != "GET":
            return []
        found = [_parameter(name, parse) for name, parse in getattr(self.view, "filters", {}).items()]
        return [*found, *_PAGE] if getattr(self.view, "paged", False) else found

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """The operation, with its errors."""
        operation = super().get_operation(*args, **kwargs)
        if operation is not None:
            problem = {"schema": self.resolve_serializer(Problem, "response").ref}
            content = {"application/problem+json": problem}
            for status, text in _errors(self.method, self.path):
                operation["responses"].setdefault(status, {"description": text, "content": content})
        return operation

    def get_operation_id(self) -> str:
        """A name for programs that are generated: promotions_list, promotions_approve_post."""
        words = [word for word in self.path.removeprefix("/api/v1/").split("/") if word and not word.startswith("{")]
        paged = self.method == "GET" and getattr(self.view, "paged", False)
        return "_".join([*words, "list" if paged else "read" if self.method == "GET" else self.method.lower()])

    def get_tags(self) -> list[str]:
        """Grouped by the first word of the address."""
        words = self.path.removeprefix("/api/v1/").strip("/").split("/")
        return [words[2] if len(words) > 2 and words[2] == "releases" else words[0]]

    def get_filter_backends(self) -> list[Any]:
        """None: filters are declared by name."""
        return []


def _errors(method: str, path: str) -> list[tuple[str, str]]:
    found = [("400", "Malformed: `fields` says what."), ("401", "No token, or one that is not accepted.")]
    if "{" in path or method == "POST":
        found.append(("404", "Unknown, or invisible to you."))
    if method != "GET":
        found.append(("403", "You see it, but lack the right: `roles` and `people` name who has it."))
        found.append(("409", "The state of things or a gate forbids it now: `verdicts` says which."))
        found.append(("422", "Well-formed, but not acceptable; or the Idempotency-Key was used for something else."))
    return sorted(found)


def _parameter(name: str, parse: Callable[[str], Any]) -> OpenApiParameter:
    words = getattr(parse, "words", None)
    kind = TYPES.get(getattr(parse, "__name__", ""), str)
    kind = {"type": "string", "format": kind} if kind == "date-time" else kind
    return OpenApiParameter(name, kind, "query", enum=words)


_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    "header",
    description="Any unique text. The same key again within 24 hours gives the same answer and does nothing.",
)
_PAGE = [
    OpenApiParameter("cursor", str, "query", description="From `next` of the page before."),
    OpenApiParameter("limit", int, "query", description="How many at most; 50 unless said, 200 at most."),
]


@lru_cache
def page_of(item: type[serializers.Serializer[Any]]) -> type[serializers.Serializer[Any]]:
    """The serializer of one page of a list of these."""
    fields = {
        "results": item(many=True),
        "next": serializers.URLField(allow_null=True, help_text="The next page; null on the last."),
        "__doc__": "One page of a list.",
    }
    return type(f"{item.__name__}Page", (serializers.Serializer,), fields)


def made(item: type[serializers.Serializer[Any]], text: str) -> OpenApiResponse:
    """A response with its description."""
    return OpenApiResponse(item, description=text)
