"""Verbs on environments: make, change, check, remove, their components, and locks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError
from django.db.models.functions import Now

from phases import locks, permissions
from phases.drivers.base import DriverError, Finding
from phases.drivers.registry import KINDS
from phases.drivers.registry import driver as driver_of
from phases.drivers.settings import wrong
from phases.models import Application, Component, Environment, Lock, Phase
from phases.routing import forget_at_gateway, tell_gateway
from phases.targets import target_of
from relman.actors import Actor
from relman.audit import record, record_refusal, recorded
from relman.background import later
from relman.clock import must_fit, now
from relman.errors import Conflict, Invalid, NotFound, RelManError
from relman.live import publish_on_commit

from .checks import changed, cleaned, unique

SETTINGS_MOST = 50


@recorded("environment.created")
def create_environment(
    application: Application,
    phase: Phase,
    *,
    actor: Actor,
    driver: str = "local",
    instances: int = 1,
    settings: Mapping[str, Any] | None = None,
    memory: int | None = None,
    cpu: Decimal | None = None,
) -> Environment:
    """Give an application a place in a phase. Needs *configure* there. memory in MiB, cpu in cores, an instance."""
    permissions.require(actor, "configure", phase, application)
    if phase.pipeline_id != application.pipeline_id:
        raise NotFound()
    kept = _settings(_kind(driver), settings or {})
    environment = Environment(application=application, phase=phase, driver=driver, settings=kept)
    environment.instances, environment.memory, environment.cpu = instances, memory, cpu
    with unique(f"{application.name} has an environment in {phase.name} already.", field="phase"):
        cleaned(environment).save()
    record(
        "environment.created",
        actor=actor,
        subject=environment,
        after={"driver": driver, "instances": instances, "settings": environment.settings, "host": environment.host},
        detail=f"{application.name} now has an environment in {phase.name}.",
    )
    tell_gateway([environment])
    _announce(environment)
    return environment


def _kind(kind: str) -> str:
    if kind not in KINDS:
        said = f"There is no driver named “{kind}”. Known: {', '.join(sorted(KINDS))}."
        raise Invalid(said, fields={"driver": [said]})
    return kind


def _settings(kind: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """As they may be saved: few, named, and understood by the driver. Invalid, naming each one that is wrong."""
    found = dict(settings)
    said = [f"Settings are at most {SETTINGS_MOST} named values."]
    if len(found) <= SETTINGS_MOST and all(isinstance(key, str) for key in found):
        said = list(wrong(kind, found).values())
    if said:
        raise Invalid(f"The settings are not saved. {' '.join(said)}", fields={"settings": said})
    return found


def _announce(environment: Environment) -> None:
    publish_on_commit("board", f"environment:{environment.pk}", f"application:{environment.application.slug}")


@recorded("environment.edited")
def edit_environment(
    environment: Environment,
    *,
    actor: Actor,
    instances: int | None = None,
    settings: Mapping[str, Any] | None = None,
    memory: int | None = None,
    cpu: Decimal | None = None,
) -> Environment:
    """Change size and settings; the next promotion uses them. Needs *configure*. The driver stays what it is."""
    permissions.require(actor, "configure", environment)
    Environment.objects.select_for_update(of=("self",)).get(pk=environment.pk)
    given = {
        "instances": instances,
        "settings": None if settings is None else _settings(environment.driver, settings),
        "memory": memory,
        "cpu": cpu,
    }
    before, after = changed(environment, given)
    if after:
        cleaned(environment).save(update_fields=list(given))
        record("environment.edited", actor=actor, subject=environment, before=before, after=after,
               detail=f"{environment}: {', '.join(after)} changed.")  # fmt: skip
        _announce(environment)
    return environment


def check_environment(environment: Environment, *, actor: Actor) -> list[Finding]:
    """Ask the driver whether one could deploy there now; keep and return what it found. Needs *configure*.

    The driver may speak to a network: call it outside any transaction.
    """
    try:
        permissions.require(actor, "configure", environment)
    except RelManError as error:
        record_refusal("environment.checked", actor=actor, error=error, subject=environment)
        raise
    findings = _look(environment)
    environment.findings = [asdict(one) for one in findings]
    with transaction.atomic():
        Environment.objects.filter(pk=environment.pk).update(findings=environment.findings, checked_at=Now())
        wrong = [one.sentence for one in findings if not one.ok]
        record(
            "environment.checked",
            actor=actor,
            subject=environment,
            after={"ready": not wrong},
            detail=f"{environment} is {'not ready: ' + ' '.join(wrong) if wrong else 'ready'}.",
        )
        _announce(environment)
    environment.refresh_from_db(fields=["checked_at"])
    return findings


def _look(environment: Environment) -> list[Finding]:
    misread = wrong(environment.driver, environment.settings)
    if misread:  # saved before anybody checked them
        return [Finding("settings", False, f"The settings cannot be used. {' '.join(misread.values())}")]
    try:
        return list(driver_of(environment.driver).check(target_of(environment)))
    except (DriverError, OSError) as error:
        return [Finding("reachable", False, f"The target could not be asked: {error}")]


@recorded("environment.removed")
def remove_environment(environment: Environment, *, actor: Actor) -> None:
    """Take an environment away. Needs *configure*. Refused once anything was promoted into it: history stays."""
    permissions.require(actor, "configure", environment)
    Environment.objects.select_for_update(of=("self",)).get(pk=environment.pk)
    kind, target = environment.driver, target_of(environment)
    record(
        "environment.removed",
        actor=actor,
        subject=environment,
        before={"driver": kind, "host": environment.host},
        detail=f"{environment.application.name} no longer has an environment in {environment.phase.name}.",
    )
    try:
        with transaction.atomic():
            Environment.objects.filter(pk=environment.pk).delete()
    except ProtectedError as error:
        raise Conflict(
            f"{environment} has a history of promotions, so it cannot be removed. Lock it instead."
        ) from error
    forget_at_gateway(environment.pk)
    transaction.on_commit(lambda: later(lambda: driver_of(kind).remove(target)), robust=True)
    _announce(environment)


@recorded("component.added")
def add_component(
    environment: Environment,
    *,
    actor: Actor,
    kind: str,
    name: str,
    identifier: str = "",
    size: str = "",
    shared: bool = False,
) -> Component:
    """Name a piece of infrastructure that an environment uses. Needs *configure*.

    Conflict when another phase uses the same one and that is not declared with `shared`.
    """
    permissions.require(actor, "configure", environment)
    component = Component(environment=environment, kind=kind, name=name, identifier=identifier, size=size)
    component.shared = shared
    cleaned(component)
    elsewhere = Component.objects.filter(kind=kind, identifier=identifier).exclude(environment__phase=environment.phase)
    if identifier and not shared and elsewhere.exists():
        raise Conflict(f"{identifier} is used in another phase already. Declare it as shared if that is meant.")
    with unique(f"{environment} has a component “{name}” already.", field="name"):
        component.save()
    record("component.added", actor=actor, subject=component, environment=environment,
           after={"kind": kind, "identifier": identifier, "shared": shared})  # fmt: skip
    _announce(environment)
    return component


@recorded("component.removed")
def remove_component(component: Component, *, actor: Actor) -> None:
    """Forget a piece of infrastructure. Needs *configure*."""
    permissions.require(actor, "configure", component.environment)
    record("component.removed", actor=actor, subject=component, environment=component.environment,
           before={"kind": component.kind, "identifier": component.identifier})  # fmt: skip
    Component.objects.filter(pk=component.pk).delete()
    _announce(component.environment)


@recorded("lock.set")
def lock(where: Environment | Phase, *, actor: Actor, reason: str, until: datetime | None = None) -> Lock:
    """Hold every promotion into an environment or a whole phase, at its start. Needs *freeze* there, and a reason.

    `until`: when it ends by itself, in the future; None: when somebody unlocks it.
    """
    permissions.require(actor, "freeze", where)
    if not reason.strip():
        raise Invalid("Say why: whoever waits will read it.", fields={"reason": ["Say why."]})
    _ahead(until)
    locks.lapse()  # one whose time has come must not be in the way
    scope = {"environment": where} if isinstance(where, Environment) else {"phase": where}
    new = cleaned(Lock(**scope, reason=reason.strip(), by=actor.user, until=until))
    with unique(f"{where} is locked already.", field="reason"):
        new.save()
    end = until.astimezone(UTC) if until else None
    record("lock.set", actor=actor, subject=where,
           after={"reason": new.reason} | ({"until": end.isoformat()} if end else {}),
           detail=f"{where} is locked{f' until {end:%Y-%m-%d %H:%M} UTC' if end else ''}: {new.reason}")  # fmt: skip
    locks.announce(where)
    return new


def _ahead(until: datetime | None) -> None:
    must_fit(until=until)
    if until and until <= now():
        said = "That time is over. Choose one that lies ahead, or none: then somebody unlocks it."
        raise Invalid(said, fields={"until": [said]})


@recorded("lock.released")
def unlock(lock: Lock, *, actor: Actor) -> Lock:
    """Release a lock: what it held goes on in order. Needs *freeze* there. Conflict when it was released already."""
    where = lock.environment or lock.phase
    if where is None:
        raise NotFound()
    permissions.require(actor, "freeze", where)
    released = Lock.objects.filter(pk=lock.pk, released_at=None).update(released_at=Now(), released_by=actor.user)
    if not released:
        raise Conflict(f"{where} is not locked any more.")
    lock.refresh_from_db()
    record("lock.released", actor=actor, subject=where, before={"reason": lock.reason},
           detail=f"{where} is no longer locked.")  # fmt: skip
    locks.announce(where)
    return lock
