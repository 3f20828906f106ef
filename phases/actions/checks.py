"""What all verbs of this app check and write in the same way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from phases import permissions
from phases.models import Phase, Pipeline, User
from relman.actors import Actor
from relman.errors import Conflict, Forbidden, Invalid, NotFound

M = TypeVar("M", bound=models.Model)


def require_team(actor: Actor, pipeline: Pipeline, what: str) -> None:
    """Whole pipelines are changed by administrators, and by who manages access in every phase of it."""
    phases = list(pipeline.phases.order_by("position"))
    seen = [phase for phase in phases if permissions.can(actor, "view", phase)]
    if not seen and not actor.is_superuser:
        raise NotFound()
    lacking = [phase for phase in phases if not permissions.can(actor, "manage_access", phase)]
    if not lacking or (actor.is_superuser and actor.token is None):
        return
    if actor.is_superuser:
        return permissions.require_administrator(actor, what)
    roles = permissions.roles_with("manage_access", lacking[0])
    names = ", ".join(phase.name for phase in lacking)
    raise Forbidden(
        f"You may not {what}: that needs the right to manage access in every phase, and you lack it in {names}. "
        f"Who may: {', '.join(roles) or 'Administrator'}.",
        roles=roles or ["Administrator"],
    )


def member(pipeline: Pipeline, username: str) -> User:
    """An active person who sees a phase of the pipeline. Invalid for anybody else, whether there is such an account
    or not."""
    for phase in pipeline.phases.all():
        found: User | None = permissions.people_who_can("view", phase).filter(username=username).first()
        if found is not None:
            return found
    said = f"Nobody who sees {pipeline.name} has the user name “{username[:150]}”."
    raise Invalid(said, fields={"owner": [said]})


@contextmanager
def unique(sentence: str, field: str = "slug") -> Iterator[None]:
    """Turns a row that exists already into a Conflict with this sentence."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise Conflict(sentence, code="exists", fields={field: [sentence]}) from error


def cleaned(thing: M, *, exclude: tuple[str, ...] = ()) -> M:
    """The row, checked against its fields' limits. Invalid names each field that is wrong."""
    empty = {field.name for field in thing._meta.fields if field.null and getattr(thing, field.attname) is None}
    try:
        thing.clean_fields(exclude={*exclude, *empty})
    except ValidationError as error:
        fields = {name: [str(said) for said in found] for name, found in error.message_dict.items()}
        sentence = "; ".join(f"{name}: {' '.join(said)}" for name, said in fields.items())
        raise Invalid(f"Nothing was saved. {sentence}", fields=fields) from error
    return thing


def changed(thing: models.Model, given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set the given fields (None: leave as it is); what differs, as (before, after)."""
    before, after = {}, {}
    for name, value in given.items():
        old = getattr(thing, name)
        if value is None or value == old:
            continue
        before[name], after[name] = _plain(old), _plain(value)
        setattr(thing, name, value)
    return before, after


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, models.Model) else value


def renumber(phases: list[Phase]) -> None:
    """Write positions 1, 2, 3 … in this order."""
    for position, phase in enumerate(phases, start=1):
        if phase.position != position:
            phase.position = position
            phase.save(update_fields=["position"])
