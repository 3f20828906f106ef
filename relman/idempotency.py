"""One Idempotency-Key, one execution: the row is written first, in the verb's own transaction.

Whoever comes at the same moment with the same key waits for that row at its unique index, and then finds either
the answer or, when the first was refused as malformed or without the right, its own turn. A process that dies
takes row and verb with it, so a key never marks work that was not done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from django.apps import apps
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.http import HttpResponse
from rest_framework.renderers import JSONRenderer

from relman import clock
from relman.errors import Invalid, RelManError, Unprocessable
from relman.http import PROBLEM, problem

if TYPE_CHECKING:
    from relman.actors import Actor

KEPT_FOR = timedelta(hours=24)
KEPT_REFUSALS = (409, 422)
"""Answers of a verb that did its work and refused. Malformed (400) or without the right (403, 404) is asked anew."""
LONGEST = 200


def fingerprint(data: Any, files: Any, actor: Actor) -> str:
    """SHA-256 of what is asked: fields, each file's digest, and how far the token reaches.

    The token's scope belongs to it so that a narrow token never reads the answer that a wide one was given.
    """
    fields = {name: data.getlist(name) for name in data if name not in files} if hasattr(data, "getlist") else data
    digests = {name: [file.staged.digest for file in files.getlist(name)] for name in files} if files else {}
    text = json.dumps([fields, digests, _scope(actor)], sort_keys=True, cls=DjangoJSONEncoder)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _scope(actor: Actor) -> list[Any]:
    token = actor.token
    if token is None:
        return []
    applications = sorted(token.applications.values_list("pk", flat=True)) if token.limited_to_applications else None
    phases = sorted(token.phases.values_list("pk", flat=True)) if token.limited_to_phases else None
    narrow = (token.rights, applications, phases)
    return [] if narrow == ([], None, None) else [sorted(token.rights), applications, phases]


def once(
    actor: Actor, path: str, key: str, asked: str, act: Callable[[], HttpResponse], unkept: Sequence[str] = ()
) -> HttpResponse:
    """The answer to this key: `act`'s, or the one it gave before, without the fields `unkept`.

    `asked` is the fingerprint. Raises Invalid for a key that is none, Unprocessable for one that was used for
    something else, and what `act` raises.
    """
    if not key or len(key) > LONGEST or not key.isprintable():
        raise Invalid(f"An Idempotency-Key is 1 to {LONGEST} printable characters, for example a UUID.")
    refusal: RelManError | None = None
    with transaction.atomic():
        row, fresh = _claim(actor, path, key, asked)
        if not fresh:
            return _again(row, asked)
        try:
            # No savepoint here: the verb has its own, and what it recorded of a refusal must stay.
            response = _rendered(act())
            _keep(row, response.status_code, _without(response.content.decode(), unkept))
        except RelManError as error:
            refusal = error
            if error.status in KEPT_REFUSALS:
                _keep(row, error.status, json.dumps(problem(error), cls=DjangoJSONEncoder))
            else:
                row.delete()
    if refusal is not None:
        raise refusal
    return response


def _rows() -> Any:
    # By name: the foundations are imported by `phases`, which must not know `releases`.
    return apps.get_model("releases", "IdempotencyKey").objects


def _claim(actor: Actor, path: str, key: str, asked: str) -> tuple[Any, bool]:
    """The key's row, and whether it is new. Waits for a racer that has just written the same one."""
    _rows().filter(user=actor.user, path=path, key=key, created_at__lt=clock.now() - KEPT_FOR).delete()
    row, fresh = _rows().get_or_create(user=actor.user, path=path, key=key, defaults={"body_digest": asked})
    return row, fresh


def _keep(row: Any, status: int, text: str) -> None:
    """Keep the answer as text, so that it can be given again byte for byte."""
    row.status, row.response = status, text
    row.save(update_fields=["status", "response"])


def _without(text: str, unkept: Sequence[str]) -> str:
    """The answer with these fields empty."""
    return json.dumps({**json.loads(text), **dict.fromkeys(unkept)}) if unkept else text


def _again(row: Any, asked: str) -> HttpResponse:
    if row.body_digest != asked:
        raise Unprocessable(
            "This Idempotency-Key was used for another request to this address within the last 24 hours. "
            "Use a new key for a new request.",
            code="idempotency_key_reused",
        )
    status = row.status or 500
    kind = PROBLEM if status >= 400 else "application/json"
    return HttpResponse(str(row.response), status=status, content_type=kind)


def _rendered(response: Any) -> HttpResponse:
    """A response of DRF as the bytes it will be."""
    if not hasattr(response, "data"):
        return cast(HttpResponse, response)
    text = JSONRenderer().render(response.data)
    return HttpResponse(text, status=response.status_code, content_type="application/json")
