"""The decisive question, in the transaction that claims: may this promotion start, as it was frozen?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from phases import configuration
from phases.drivers.base import DriverError
from releases import formats, gates
from releases.engine import plan
from releases.models import Promotion
from releases.queries.facts import facts_of
from releases.queries.lookups import live_of
from releases.queries.shared import listed
from releases.transitions import advance
from relman.actors import Actor

NAMED = 6
"""Keys, settings or rules that are named where they changed; the rest is a number."""


def may_start(promotion: Promotion) -> bool:
    """Ask the gates a last time; what may not start goes back to waiting, or ends, with the reason said.

    The promotion's row and its environment's are locked by the caller.
    """
    if promotion.rolls_back_id and (newer := _moved_on(promotion)):
        reason = f"{newer.release.version} came meanwhile (promotion {newer.pk}), so there is nothing to go back from."
        advance(promotion, "superseded", actor=Actor.system(), before=("queued",), reason=reason, superseded_by=newer)
        return False
    changed = refresh(promotion)
    verdicts = gates.evaluate(facts_of(promotion))
    blocked = next((verdict for verdict in verdicts if verdict.state in ("waiting", "failed")), None)
    if blocked is None:
        return True
    late = blocked.gate == "schedule" and blocked.state == "failed"
    reason = " ".join(filter(None, [changed, f"{blocked.gate.capitalize()}: {blocked.reason}"]))[:2000]
    moment = {} if late else {"wake_at": blocked.earliest}
    fields: dict[str, Any] = {"reason": reason, **moment}
    to = "expired" if late else "waiting"
    advance(promotion, to, actor=Actor.system(), before=("queued",), detail=reason, **fields)
    return False


def _moved_on(promotion: Promotion) -> Promotion | None:
    """What went live since RelMan decided to go back by itself; None: still what it goes back to."""
    live = live_of(promotion.environment)
    return live if live and live.finished_at and live.finished_at > promotion.requested_at else None


def refresh(promotion: Promotion) -> str:
    """Compare what was frozen with today's; when it differs, freeze anew and void the approvals.

    Answers what changed, as one sentence; empty when nothing did. A rule that was weakened
    since the request does not help: the stricter of both counts. A plan of newer code than
    this is not compared: it would only look different from here.
    """
    today = _otherwise(promotion)
    if today is None:
        return ""
    what = _difference(promotion, today)
    read, began_with = today.rules, promotion.rules
    without = bool(promotion.rules_read) and not began_with  # a way back was asked for without approvals, and stays so
    plan.freeze(promotion, today)
    promotion.rules = [] if without else stricter(began_with, read)
    frozen = ("plan", "plan_version", "target", "snapshot", "rules", "rules_read", "digest", "seal")
    promotion.save(update_fields=frozen)
    Promotion.objects.filter(pk=promotion.pk).update(revision=F("revision") + 1)
    plan.write_steps(promotion)
    promotion.approvals.filter(voided_at=None).update(voided_at=Now(), void_reason=what)
    return what


def outdated(promotion: Promotion) -> str:
    """What `refresh` would find, as one sentence; nothing is written. Empty: it stands as it was asked for."""
    today = _otherwise(promotion)
    return _difference(promotion, today) if today else ""


def _otherwise(promotion: Promotion) -> plan.Frozen | None:
    """What would be frozen now, when that is not what was."""
    if promotion.plan_version > formats.PLAN:
        return None
    kept = promotion.snapshot if promotion.snapshot_of == "then" else None
    try:
        today = plan.build(promotion.release, promotion.environment, snapshot=kept, kind=promotion.kind)
    except DriverError:
        return None  # nothing can be planned there: the gate *environment* holds it, and says why
    return None if today.seal == promotion.seal and today.rules == promotion.rules_read else today


def stricter(began_with: list[dict[str, Any]], today: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Both sets of rules together: a rule never gets weaker for a promotion that is already on its way."""
    rules = {(rule["name"], rule["role_id"]): rule for rule in today}
    for old in began_with:
        new = rules.get((old["name"], old["role_id"]), old)
        rules[old["name"], old["role_id"]] = {
            **new,
            "count": max(old["count"], new["count"]),
            "allow_requester": old["allow_requester"] and new["allow_requester"],
            "allow_author": old["allow_author"] and new["allow_author"],
        }
    return sorted(rules.values(), key=lambda rule: (rule["name"], rule["role_id"]))


def _difference(promotion: Promotion, today: plan.Frozen) -> str:
    """What is not as it was when the promotion was asked for, by name: keys, settings and rules, never a value."""
    keys = [f"{one.key} {one.change}" for one in configuration.compare(promotion.snapshot, today.snapshot)]
    parts = {
        "the artifact": (promotion.digest != today.digest, []),
        "the configuration": (bool(keys), keys),
        "the plan": (promotion.plan != today.plan, []),
        "the target": (promotion.target != today.target, _otherwise_set(promotion.target, today.target)),
        "the approval rules": (promotion.rules_read != today.rules, _other_rules(promotion.rules_read, today.rules)),
    }
    said = [
        f"{part} ({listed(names, NAMED)})" if names else part for part, (differs, names) in parts.items() if differs
    ]
    return f"Changed since it was asked for: {', '.join(said)}."[:1000] if said else (
        "Something changed since it was asked for."
    )  # fmt: skip


def _otherwise_set(then: Mapping[str, Any], today: Mapping[str, Any]) -> list[str]:
    """What of the target is not as it was: its size, its address, and each setting by name."""
    found = [word for word in ("driver", "instances", "host") if then.get(word) != today.get(word)]
    old, new = then.get("settings") or {}, today.get("settings") or {}
    return found + sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


def _other_rules(then: Sequence[Mapping[str, Any]], today: Sequence[Mapping[str, Any]]) -> list[str]:
    """The rules that are not as they were."""
    return sorted({rule["name"] for rule in [*then, *today] if rule not in then or rule not in today})
