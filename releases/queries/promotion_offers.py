"""What may be done about a promotion: its buttons, and what a retry repeats."""

from __future__ import annotations

from collections.abc import Sequence

from phases import configuration, permissions
from releases import statuses
from releases.models import Promotion, Step
from releases.queries.lookups import live_of
from releases.queries.rules import Said
from releases.queries.shared import Offer, listed
from releases.queries.way_back import way_back
from relman.actors import Actor

RETRIABLE = ("failed", "errored", "aborted", "expired", "cancelled")
KEYS = 6
"""Changed keys that are named."""


def offers_of(actor: Actor, promotion: Promotion) -> list[Offer]:
    """The buttons that fit its status; without the right they say who has it."""
    base, environment = f"/promotions/{promotion.pk}/", promotion.environment
    version, phase = promotion.release.version, environment.phase.name
    status = promotion.status
    found: list[Offer] = []
    if status in statuses.PENDING:
        if promotion.rules and status == "waiting":
            found.append(_offer(actor, promotion, "approve", "Review", f"/approvals/{promotion.pk}/", "view"))
        mine = bool(actor.user and actor.user.pk == promotion.requested_by_id)
        right = "view" if mine else "promote"
        calm = status == "queued" and promotion.emergency_at is None
        if calm and permissions.can(actor, "break_glass", environment):
            found.append(Offer("expedite", "Use the emergency lane", f"{base}expedite/"))
        found.append(_offer(actor, promotion, "cancel", "Cancel promotion", f"{base}cancel/", right))
    if status in statuses.ACTIVE:
        found.append(_abort(actor, promotion, base))
    if status == "errored":
        found.append(_offer(actor, promotion, "resolve", "Say what happened", f"{base}resolve/", "roll_back"))
    if status in RETRIABLE and not promotion.retries.exists():
        label = f"Retry {version} to {phase}"
        found.append(_offer(actor, promotion, "retry", label, f"{base}retry/", retry_right(promotion)))
    if status == "succeeded" and _is_live(promotion) and way_back(environment).release:
        url = f"/apps/{environment.application.slug}/{environment.phase.slug}/rollback/"
        found.append(_offer(actor, promotion, "rollback", f"Roll {phase} back", url, "roll_back"))
    return found


def _offer(actor: Actor, promotion: Promotion, name: str, label: str, url: str, right: str) -> Offer:
    may = permissions.can(actor, right, promotion.environment)
    return Offer(name, label, url, may, "" if may else why_not(right, promotion))


def why_not(right: str, promotion: Promotion) -> str:
    """Who has the right that is missing."""
    phase = promotion.environment.phase
    roles = permissions.roles_with(right, phase)
    who = f"Who may: {', '.join(roles)}." if roles else "No role has that right yet."
    return f"You may not {permissions.RIGHTS[right]} {phase.name}. {who}"


def _abort(actor: Actor, promotion: Promotion, base: str) -> Offer:
    if promotion.abort_reason:
        return Offer("abort", "Abort", f"{base}abort/", False, "It is being aborted already.")
    return _offer(actor, promotion, "abort", "Abort", f"{base}abort/", "promote")


def _is_live(promotion: Promotion) -> bool:
    live = live_of(promotion.environment)
    return bool(live and live.pk == promotion.pk)


def retry_right(promotion: Promotion) -> str:
    """What a retry asks for, as the request did: going down, and taking on that there is no way back, ask for more."""
    down = promotion.kind in ("rollback", "adopt") or promotion.allow_lower or promotion.accept_one_way
    return "roll_back" if down else "promote"


def retry_notes(promotion: Promotion) -> list[Said]:
    """What a retry repeats, step by step in groups."""
    way = [one for one in promotion.steps.all() if one.when in ("run", "verify")]
    notes = [Said("repeat", "A new promotion that names this one. **All gates are asked again.**")]
    again = [one for one in way if one.resume != "never"]
    if again:
        verbs = ("runs", "finds") if len(again) == 1 else ("run", "find")
        notes.append(Said("play", f"{_numbers(again)} {verbs[0]} again, and {verbs[1]} what is already there."))
    for one in (one for one in way if one.resume == "never"):
        text = f"Step {one.number}, **{one.name.lower()}**, runs a second time: look at what it did first."
        notes.append(Said("triangle-alert", text, tone="warn"))
    return [*notes, _taken(promotion)]


def _taken(promotion: Promotion) -> Said:
    """Which configuration a retry takes, and what has changed in it since: the names of the keys."""
    if promotion.snapshot_of == "then":
        return Said("settings-2", "Configuration is read **as it was then**.")
    changed = configuration.compare(promotion.snapshot, configuration.snapshot(promotion.environment))
    keys = listed([f"{one.key} {one.change}" for one in changed], KEYS)
    return Said("settings-2", "Configuration is read **anew**.", f"Since then: {keys}." if keys else "It is as it was.")


def _numbers(steps: Sequence[Step]) -> str:
    numbers = [one.number for one in steps]
    if len(numbers) == 1:
        return f"Step {numbers[0]}"
    whole = numbers == list(range(numbers[0], numbers[-1] + 1))
    if whole and len(numbers) > 2:
        return f"Steps {numbers[0]} to {numbers[-1]}"
    return f"Steps {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
