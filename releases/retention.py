"""What may be deleted: releases as rows in, a decision with its reason out. Pure.

Rows never go: only an artifact's bytes do, when nothing that runs, ran just before, or is on its way needs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A release's bytes stay for `days` days after its last use, and the newest `keep` of an application always."""

    days: int
    keep: int


@dataclass(frozen=True)
class Success:
    """One release that succeeded in one environment. Given newest first, each release once an environment."""

    environment: int
    name: str
    release: int
    withdrawn: bool
    """Or held there: the way back does not lead to it."""


@dataclass(frozen=True)
class Stored:
    """One artifact of one release; size in bytes, age in days since it was published or last promoted."""

    release: int
    name: str
    digest: str
    size: int
    age: float
    rank: int
    """1: the newest release of its application."""
    needs: tuple[str, ...] = ()
    """Sentences: what it is needed for."""


@dataclass(frozen=True)
class Decision:
    """What would go, and for all that stays the reason."""

    going: tuple[Stored, ...]
    staying: tuple[tuple[Stored, str], ...]

    @property
    def freed(self) -> int:
        """Bytes: equal bytes lie in the storage once."""
        return sum({one.digest: one.size for one in self.going}.values())


def served(successes: Iterable[Success]) -> dict[int, list[str]]:
    """Release -> why its environments need it: live, live before, or the last one that the way back would take."""
    places: dict[int, list[Success]] = {}
    for one in successes:
        places.setdefault(one.environment, []).append(one)
    found: dict[int, list[str]] = {}
    for rows in places.values():
        live, *before = rows
        found.setdefault(live.release, []).append(f"It is live in {live.name}.")
        for one in before[:1]:
            found.setdefault(one.release, []).append(f"It was live in {one.name} before what is now.")
        back = next((one for one in before if not one.withdrawn), None)
        if back is not None and back is not before[0]:
            found.setdefault(back.release, []).append(f"It is the way back in {back.name}.")
    return found


def decide(stored: Sequence[Stored], rule: Rule) -> Decision:
    """Which artifacts go. Bytes that two releases share stay while one of them needs them."""
    reasons = {(one.release, one.digest): _reason(one, rule) for one in stored}
    held = {one.digest: one for one in stored if reasons[one.release, one.digest]}
    going, staying = [], []
    for one in stored:
        reason = reasons[one.release, one.digest]
        if not reason and one.digest in held:
            reason = f"{held[one.digest].name} has the same bytes."
        if reason:
            staying.append((one, reason))
        else:
            going.append(one)
    return Decision(tuple(going), tuple(staying))


def _reason(one: Stored, rule: Rule) -> str:
    if one.needs:
        return " ".join(one.needs)
    if one.rank <= rule.keep:
        return f"It is one of the {rule.keep} newest of its application."
    if one.age < rule.days:
        return f"It was used {one.age:.0f} days ago, and {rule.days} days are kept."
    return ""


def joined(*found: Mapping[int, Sequence[str]]) -> dict[int, tuple[str, ...]]:
    """Several answers to what a release is needed for, as one."""
    keys = {key for one in found for key in one}
    return {key: tuple(sentence for one in found for sentence in one.get(key, ())) for key in sorted(keys)}
