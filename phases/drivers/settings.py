"""What an environment's settings may be, judged before they are saved: by its driver, and by the engine for `verify`.

Pure. A setting that makes RelMan wait has a longest value here, because whoever waits holds a worker.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from phases.drivers.registry import KINDS, driver

VERIFY: Mapping[str, tuple[float, float]] = {"passes": (1, 100), "interval": (0, 60), "within": (0, 600)}
"""What a verification can be told, with the least and the most: how often in a row, seconds between two, seconds in
all."""

Wrong = dict[str, str]
"""Setting -> a sentence that names it."""


def wrong(kind: str, settings: Mapping[str, Any]) -> Wrong:
    """Everything that is wrong with an environment's settings; empty: nothing. Asks no target."""
    if kind not in KINDS:
        return {"driver": f"There is no driver named “{kind}”. Known: {', '.join(sorted(KINDS))}."}
    own = {key: value for key, value in settings.items() if key != "verify"}
    return {**driver(kind).check_settings(own), **verification(settings.get("verify", {}))}


def verification(wanted: Any) -> Wrong:
    """What is wrong with `verify`: a mapping, or false for no verification at all."""
    if wanted is False:
        return {}
    if not isinstance(wanted, Mapping):
        example = '{"passes": 3, "interval": 1, "within": 30}'
        return {"verify": f"“verify” is a mapping such as {example}, or false, not {_shown(wanted)}."}
    found = unknown(wanted, VERIFY, "verify")
    for name, (least, most) in VERIFY.items():
        found.update(number(wanted, name, least, most, within="verify", whole=name == "passes"))
    return {"verify": " ".join(found.values())} if found else {}


def unknown(settings: Mapping[str, Any], known: Iterable[str], within: str = "") -> Wrong:
    """A sentence for each name that means nothing here, with the one that was meant where that can be seen."""
    names = sorted(known)
    listed = ", ".join(names if within else [*names, "verify"])
    found = {}
    for name in settings:
        if name in names:
            continue
        near = difflib.get_close_matches(str(name), names, 1)
        cure = f"Did you mean “{near[0]}”?" if near else f"Known: {listed}."
        found[str(name)] = f"{_quoted(str(name)[:64], within)} is no setting here. {cure}"
    return found


def number(
    settings: Mapping[str, Any], name: str, least: float, most: float, *, within: str = "", whole: bool = False
) -> Wrong:
    """A sentence when the setting is there and is no number from least to most."""
    value = settings.get(name, least)
    fits = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if fits and math.isfinite(value) and least <= value <= most:
        return {}
    kind = "a whole number" if whole else "a number"
    return {name: f"{_quoted(name, within)} is {kind} from {least:g} to {most:g}, not {_shown(value)}."}


def _quoted(name: str, within: str) -> str:
    return f"“{name}” of “{within}”" if within else f"“{name}”"


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
