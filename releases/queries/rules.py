"""The rules of an environment in sentences: who may do what, what a release has to bring, how apart it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phases import permissions
from phases.models import Environment, Phase, Rule
from releases.queries.courses import Reader


@dataclass(frozen=True)
class Who:
    """Who has one right here."""

    right: str
    sentence: str
    people: list[str]


@dataclass(frozen=True)
class Said:
    """A sentence with an icon."""

    icon: str
    text: str
    detail: str = ""
    tone: str = ""


def who_may(environment: Environment) -> list[Who]:
    """For each right that people ask about, who has it here by a role. One query each."""
    sentences = {
        "promote": "Promote here",
        "approve": "Approve",
        "open": "Open its address",
        "configure": "Configure",
        "roll_back": "Roll back",
    }
    found = []
    for right, sentence in sentences.items():
        people = [user.display for user in permissions.people_who_can(right, environment.phase)]
        everyone = right == "open" and environment.phase.public
        found.append(Who(right, sentence, ["Everybody"] if everyone else people))
    return found


def rules_to_enter(view: Reader, phases: Sequence[Phase], phase: Phase) -> list[Said]:
    """What a release has to bring, in words. A phase that the reader does not see is not named."""
    before = [one for one in phases if one.position < phase.position and not one.optional]
    where = _named(view, before[-1], "**{}**", "the phase before") if before else ""
    said = [Said("check", f"It has succeeded in {where}" if before else "It is published")]
    for rule in Rule.objects.filter(phase=phase).select_related("role").order_by("name"):
        detail = "The requester and the author do not count"
        if rule.allow_requester or rule.allow_author:
            detail = "The requester may count" if rule.allow_requester else "The author may count"
        count = "1 approval" if rule.count == 1 else f"{rule.count} approvals"
        said.append(Said("users", f"{rule.name.capitalize()}: **{count}** as {rule.role.name}", detail))
    stop = phase.pipeline.prerelease_until
    if stop and phase.position > stop.position:
        said.append(Said("ban", "No pre-releases", f"They stop {_named(view, stop, 'at {}', 'earlier')}"))
    if phase.in_order:
        said.append(Said("list-end", "Every promotion runs, in order"))
    if phase.needs_way_back:
        detail = "Or somebody who may roll back accepts a migration that cannot be undone"
        said.append(Said("undo-2", "**The way back is ready** before anything comes", detail))
    if phase.auto_rollback:
        detail = "After it migrated or had the traffic; once, never of a rollback"
        said.append(Said("undo-2", "A failed verification is **rolled back without asking**", detail))
    return said


def _named(view: Reader, phase: Phase, shape: str, unseen: str) -> str:
    return shape.format(phase.name) if view.may("view", phase.pk) else unseen


def isolation(environment: Environment) -> list[Said]:
    """As the target says it of itself, also where it is weak."""
    shared = [one for one in environment.components.all() if one.shared]
    if shared:
        names = ", ".join(one.name for one in shared)
        own = Said("triangle-alert", f"Shares {names} with another phase, as declared.", tone="warn")
    else:
        own = Said("check", "Its own configuration and secrets. None is shared with another phase.", tone="ok")
    door = (
        Said("globe", "The address is open to everybody.")
        if environment.phase.public
        else Said("lock", "The address asks for sign-in. Only people with the right to open it get in.", tone="ok")
    )
    seen = [one for one in environment.findings if one["name"] == "isolation"]
    found = [
        Said("check" if one["ok"] else "triangle-alert", one["sentence"], tone="ok" if one["ok"] else "warn")
        for one in seen
    ]
    return [own, door, *found]
