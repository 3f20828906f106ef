"""The verb that sets configuration values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phases import configuration, permissions
from phases.models import Environment, Variable
from relman.actors import Actor
from relman.audit import record, recorded
from relman.errors import Invalid
from relman.live import publish_on_commit

Given = str | Mapping[str, Any] | None
"""A plain value; {"value": …, "secret": true}; {"secret": true} alone keeps a secret as it is; None removes the key."""


@dataclass(frozen=True)
class Wanted:
    """One key as it should be. value None: keep the one it has. secret None: keep its kind, plain if it is new."""

    value: str | None
    secret: bool | None


@recorded("configuration.changed")
def set_configuration(
    environment: Environment, values: Mapping[str, Given], *, actor: Actor, replace: bool = False
) -> list[configuration.Difference]:
    """Set, change and remove values; returns what changed. Needs *configure*. Keys not named stay, unless `replace`.

    All or nothing: Invalid names each key that cannot be set. Secrets are encrypted and never come out again.
    """
    permissions.require(actor, "configure", environment)
    Environment.objects.select_for_update(of=("self",)).get(pk=environment.pk)
    existing = {one.key: one for one in environment.variables.all()}
    before = configuration.snapshot(environment)
    wanted = {key: _wanted(key, given) for key, given in values.items()}
    _check(wanted, existing, replace)
    gone = {key for key, one in wanted.items() if one is None} | (set(existing) - set(wanted) if replace else set())
    environment.variables.filter(key__in=gone).delete()
    for key, one in wanted.items():
        if one is not None:
            _put(environment, key, one, existing.get(key), actor)
    differences = configuration.compare(before, configuration.snapshot(environment))
    if differences:
        _record(environment, differences, actor)
    return differences


def _wanted(key: str, given: Given) -> Wanted | None:
    if given is None:
        return None
    if isinstance(given, str):
        return Wanted(given, None)
    if not isinstance(given, Mapping) or set(given) - {"value", "secret", "version"}:
        raise _invalid(key, "Give a text, or value and secret.")
    value, secret = given.get("value"), given.get("secret")
    if not (value is None or isinstance(value, str)) or not (secret is None or isinstance(secret, bool)):
        raise _invalid(key, "A value is a text, and secret is true or false.")
    return Wanted(value, secret)


def _invalid(key: str, said: str) -> Invalid:
    return Invalid(f"Nothing was saved. {key}: {said}", fields={str(key): [said]})


def _check(wanted: Mapping[str, Wanted | None], existing: Mapping[str, Variable], replace: bool) -> None:
    configuration.validate({key: one.value if one else None for key, one in wanted.items()})
    for key, one in wanted.items():
        known = existing.get(key)
        if one is None or one.value is not None:
            continue
        if known is None:
            raise _invalid(key, "Give a value.")
        if known.secret and one.secret is False:
            raise _invalid(key, "A secret is never shown again: give a new value to make it plain.")
    kept = set() if replace else set(existing)
    count = len((kept | set(wanted)) - {key for key, one in wanted.items() if one is None})
    if count > configuration.KEYS_MOST:
        raise Invalid(f"An environment has at most {configuration.KEYS_MOST} values; these would be {count}.")


def _put(environment: Environment, key: str, one: Wanted, known: Variable | None, actor: Actor) -> None:
    row = known or Variable(environment=environment, key=key, version=0)
    secret = row.secret if one.secret is None else one.secret
    value = one.value
    if value is None:
        if secret == row.secret:
            return
        value = row.value
    if not _differs(row, value, secret, known is None):
        return
    row.secret, row.version, row.updated_by = secret, row.version + 1, actor.user
    row.value = "" if secret else value
    row.ciphertext = configuration.encrypt(value) if secret else ""
    row.fingerprint = _fingerprint(row, value) if secret else ""
    row.save()


def _fingerprint(row: Variable, value: str) -> str:
    return configuration.fingerprint(value, f"{row.environment_id}/{row.key}")


def _differs(row: Variable, value: str, secret: bool, new: bool) -> bool:
    if new or secret != row.secret:
        return True
    return row.fingerprint != _fingerprint(row, value) if secret else row.value != value


def _record(environment: Environment, differences: list[configuration.Difference], actor: Actor) -> None:
    record(
        "configuration.changed",
        actor=actor,
        subject=environment,
        before={"values": {one.key: _told(one, one.before) for one in differences if one.before is not None}},
        after={"values": {one.key: _told(one, one.after) for one in differences if one.after is not None}},
        detail="; ".join(f"{one.key} {one.change}" for one in differences),
    )
    publish_on_commit("board", f"environment:{environment.pk}", f"application:{environment.application.slug}")


def _told(one: configuration.Difference, value: str | None) -> str | None:
    """Secrets by version, as `compare` says them; long plain values shortened."""
    return value if value is None or len(value) <= 1000 else value[:999] + "…"
