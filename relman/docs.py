"""The API's description as a document, and as a page of our own: it needs no script and no other site."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView

METHODS = ("get", "post", "put", "patch", "delete")
INTRO = ("me", "applications", "releases", "promotions", "environments", "board", "events", "pipelines")


class Document(SpectacularAPIView):
    """OpenAPI 3 as YAML, or as JSON with ?format=json. The same for everybody: it tells nothing of what is here."""

    authentication_classes = ()
    permission_classes = ()


@dataclass(frozen=True)
class Field:
    """One field of a body or one parameter."""

    name: str
    kind: str
    required: bool = False
    text: str = ""


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked."""

    method: str
    path: str
    title: str
    anchor: str
    parameters: list[Field] = field(default_factory=list)
    body: list[Field] = field(default_factory=list)
    answers: list[Field] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)
    curl: str = ""

    @property
    def parts(self) -> list[str]:
        """The words of its path: a line may break between them."""
        return self.path.strip("/").split("/")


@dataclass(frozen=True)
class Section:
    """Operations on one kind of thing."""

    name: str
    operations: list[Operation]


def page(request: HttpRequest) -> HttpResponse:
    """The readable page."""
    context = {"sections": sections(), "address": settings.PUBLIC_URL}
    return render(request, "api_docs.html", context)


@lru_cache(maxsize=1)
def sections() -> list[Section]:
    """The whole API by kind of thing, from the generated description. Read once a process: it cannot change."""
    document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]  # its own is untyped
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                operation = methods[method]
                found.setdefault(operation["tags"][0], []).append(_operation(document, path, method, operation))
    order = {name: place for place, name in enumerate(INTRO)}
    return [Section(name, found[name]) for name in sorted(found, key=lambda name: order.get(name, len(order)))]


def _operation(document: Any, path: str, method: str, operation: Any) -> Operation:
    kind, body = _body(document, operation)
    answers = [
        Field(status, _named(document, answer), text=answer.get("description", ""))
        for status, answer in sorted(operation["responses"].items())
    ]
    good: Any = next((one for status, one in sorted(operation["responses"].items()) if status < "300"), {})
    return Operation(
        method=method.upper(),
        path=path,
        title=operation.get("description", ""),
        anchor=operation["operationId"],
        parameters=[_parameter(one) for one in operation.get("parameters", [])],
        body=body,
        answers=answers,
        fields=_fields(document, _schema(document, good)),
        curl=_curl(path, method, kind, body),
    )


def _parameter(one: Any) -> Field:
    return Field(one["name"], _kind(one["schema"]), one.get("required", False), one.get("description", ""))


def _body(document: Any, operation: Any) -> tuple[str, list[Field]]:
    """Its media type, and its fields."""
    content = operation.get("requestBody", {}).get("content", {})
    for kind, one in content.items():
        return kind, _fields(document, _resolved(document, one["schema"]))
    return "", []


def _schema(document: Any, answer: Any) -> Any:
    for one in answer.get("content", {}).values():
        return _resolved(document, one.get("schema", {}))
    return {}


def _named(document: Any, answer: Any) -> str:
    for one in answer.get("content", {}).values():
        return _kind(one.get("schema", {}))
    return ""


def _resolved(document: Any, schema: Any) -> Any:
    """What a reference stands for."""
    while True:
        if "allOf" in schema and len(schema["allOf"]) == 1:
            schema = schema["allOf"][0]
        elif "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        else:
            return schema


def _fields(document: Any, schema: Any) -> list[Field]:
    required = set(schema.get("required", []))
    return [
        Field(name, _kind(one), name in required, one.get("description", "") or _words(document, one))
        for name, one in schema.get("properties", {}).items()
    ]


def _words(document: Any, schema: Any) -> str:
    """The allowed words of a choice."""
    words = _resolved(document, schema).get("enum") or []
    return ", ".join(str(word) for word in words if word is not None)


def _kind(schema: Any) -> str:
    """The type as a person says it."""
    if "allOf" in schema:
        return _kind(schema["allOf"][0])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    shown = {"date-time": "time", "binary": "file", "uri": "address"}.get(schema.get("format", ""))
    return shown or {"string": "text", "integer": "number", "boolean": "true or false"}.get(kind, kind)


def _curl(path: str, method: str, kind: str, body: list[Field]) -> str:
    """An example to copy, with words in place of what is in braces."""
    for name, word in EXAMPLES.items():
        path = path.replace(f"{{{name}}}", word)
    lines = [f'curl -H "Authorization: Bearer $RELMAN_TOKEN" $RELMAN_URL{path}']
    if method != "get":
        lines.append(f"  -X {method.upper()}")
    if method == "post":
        lines.append('  -H "Idempotency-Key: $(uuidgen)"')
    if kind.startswith("multipart"):
        lines += [f"  -F {one.name}={_example(one)}" for one in body if one.required or one.name == "notes"]
    elif body:
        text = {one.name: _example(one) for one in body if one.required}
        lines.append(f"  -H 'Content-Type: application/json' -d '{json.dumps(text)}'")
    return " \\\n".join(lines)


EXAMPLES = {"slug": "checkout-api", "application": "checkout-api", "version": "4.19.0", "phase": "qa", "number": "17"}


def _example(one: Field) -> Any:
    fixed = {"artifact": "@checkout-api.tar.gz", "pipeline": "payments", "name": "CI", "notes": "'What changed'",
             "as": "done", "values": {"GREETING": "Hello"}, **EXAMPLES}  # fmt: skip
    return fixed.get(one.name, {"true or false": True, "number": 1}.get(one.kind, "…"))
