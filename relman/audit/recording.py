"""The only writer of events."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from relman.errors import Invalid, RelManError

if TYPE_CHECKING:
    from relman.actors import Actor

    from .models import Event

P = ParamSpec("P")
T = TypeVar("T")

HIDDEN = "•••"
SECRET_KEYS = frozenset({"password", "secret", "ciphertext", "token", "raw", "authorization", "api_key", "private_key"})
TOKEN = re.compile(r"rlm_[A-Za-z0-9]{4,16}_[A-Za-z0-9_-]{16,}")
CONTEXT = ("promotion", "release", "environment", "application", "phase", "pipeline")
_depth: ContextVar[int] = ContextVar("verbs_inside_verbs", default=0)


def record(
    verb: str,
    *,
    actor: Actor,
    subject: Any = None,
    outcome: str = "done",
    before: Any = None,
    after: Any = None,
    detail: str = "",
    role: str = "",
    **context: Any,
) -> Event:
    """Write one event in the caller's transaction.

    `context` are objects it speaks of, by the names in CONTEXT. What they point to is found: a promotion brings its
    release, environment, application and phase. `before` and `after` are JSON-able and lose what looks like a secret.
    `role` is the actor's role there; left out, it is asked of `actor.memo["role_names"]`, where the permission module
    puts a function.
    """
    from .models import Event

    about = _about(subject, context)
    return Event.objects.create(
        verb=verb,
        outcome=outcome,
        detail=_text(detail, 2000),
        before=_plain(before),
        after=_plain(after),
        actor_role=_text(role or _role(actor, about.get("phase")), 200),
        **_who(actor),
        **_what(subject),
        **_where(about),
    )


def record_refusal(verb: str, *, actor: Actor, error: Exception, subject: Any = None, **facts: Any) -> None:
    """Write a refused verb in a transaction of its own: call it after the verb's transaction has ended."""
    with transaction.atomic():
        record(verb, actor=actor, subject=subject, outcome="refused", detail=str(error), **facts)


def recorded(verb: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorator of a verb `name(subject, *, actor, …)`: runs it in one transaction, and records a refusal after it.

    A verb inside a verb leaves the refusal to the outer one. Malformed input (Invalid) is no refusal.
    """

    def wrap(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def inner(*args: P.args, **kwargs: P.kwargs) -> T:
            depth = _depth.set(_depth.get() + 1)
            outermost = _depth.get() == 1
            try:
                with transaction.atomic():
                    return function(*args, **kwargs)
            except RelManError as error:
                if outermost and not isinstance(error, Invalid):
                    _refused(verb, error, args, kwargs)
                    error.recorded = True
                raise
            finally:
                _depth.reset(depth)

        return inner

    return wrap


def _refused(verb: str, error: RelManError, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    subject = next((value for value in args if hasattr(value, "_meta")), None)
    facts = {name: value for name, value in kwargs.items() if name in CONTEXT and hasattr(value, "_meta")}
    for value in args:
        if hasattr(value, "_meta"):
            facts.setdefault(_kind(value), value)
    facts = {name: value for name, value in facts.items() if name in CONTEXT}
    error.refusal = {"verb": verb, "actor": kwargs["actor"], "subject": subject, **facts}
    again(error)


def again(error: RelManError) -> None:
    """Record the refusal of a verb once more: for an edge whose own transaction took the first writing back."""
    if error.refusal is not None:
        record_refusal(error=error, **error.refusal)
        error.recorded = True


def _who(actor: Actor) -> dict[str, Any]:
    return {
        "actor_id": actor.user.pk if actor.user else None,
        "actor_name": _text(actor.name, 150),
        "via": actor.via,
        "address": _text(actor.address, 64),
        "token": _text(actor.token.prefix, 16) if actor.token else "",
    }


def _role(actor: Actor, phase: Any) -> str:
    names = actor.memo.get("role_names")
    return str(names(phase.pk)) if names and phase is not None else ""


def _what(subject: Any) -> dict[str, Any]:
    if subject is None:
        return {}
    if not hasattr(subject, "_meta"):
        return {"subject": _text(str(subject), 300)}
    return {"subject_type": _kind(subject)[:32], "subject_id": subject.pk, "subject": _text(str(subject), 300)}


def _kind(thing: Any) -> str:
    return str(thing._meta.model_name)


def _about(subject: Any, given: dict[str, Any]) -> dict[str, Any]:
    """What the event speaks of: what was given, the subject itself, and what those point to."""
    unknown = set(given) - set(CONTEXT)
    if unknown:
        raise TypeError(f"An event has no {', '.join(sorted(unknown))}.")
    about = {name: value for name, value in given.items() if value is not None}
    if subject is not None and hasattr(subject, "_meta"):
        about.setdefault(_kind(subject), subject)
        for name in CONTEXT:
            _follow(about, subject, name)
    for holder in CONTEXT:
        for name in CONTEXT:
            _follow(about, about.get(holder), name)
    return about


def _follow(about: dict[str, Any], holder: Any, name: str) -> None:
    if name in about or holder is None or not hasattr(holder, f"{name}_id"):
        return
    found = getattr(holder, name, None)
    if found is not None:
        about[name] = found


def _where(about: dict[str, Any]) -> dict[str, Any]:
    phase, release, promotion = about.get("phase"), about.get("release"), about.get("promotion")
    application, pipeline = about.get("application"), about.get("pipeline")
    return {
        "pipeline_id": pipeline.pk if pipeline is not None else None,
        "application": application.slug if application is not None else "",
        "phase_id": phase.pk if phase is not None else None,
        "phase": phase.slug if phase is not None else "",
        "version": _text(release.version, 128) if release is not None else "",
        "digest": promotion.digest if promotion is not None else "",
        "promotion_id": promotion.pk if promotion is not None else None,
    }


def _text(text: str, most: int) -> str:
    clean = TOKEN.sub(HIDDEN, str(text).replace("\x00", "\ufffd"))
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def _plain(value: Any) -> Any:
    """The value as JSON keeps it, without secrets and without what PostgreSQL refuses."""
    if value is None:
        return None
    return _clean(json.loads(json.dumps(value, cls=DjangoJSONEncoder)))


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {_text(key, 300): _hidden(key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_clean(inner) for inner in value]
    return _text(value, 20_000) if isinstance(value, str) else value


def _hidden(key: str, value: Any) -> Any:
    if key.lower() in SECRET_KEYS and not isinstance(value, bool) and value is not None:
        return HIDDEN
    return _clean(value)
