"""The settings of a target in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relman import words

HIDDEN = ("password", "secret", "token", "key")
"""Words in a setting's name that keep its value from being shown."""
NAMES = {
    "verify": "Health check",
    "drain": "Drain",
    "migrate_timeout": "Migration",
}


@dataclass(frozen=True)
class Setting:
    """One setting of a target, as shown."""

    name: str
    value: str


def settings_said(settings: Mapping[str, Any]) -> list[Setting]:
    """Each setting with its name and value in words, by name; what a name calls a secret is not shown."""
    return [Setting(NAMES.get(name, _title(name)), _said(name, value)) for name, value in sorted(settings.items())]


def _said(name: str, value: Any) -> str:
    seconds = isinstance(value, int | float) and not isinstance(value, bool)
    if name == "verify" and isinstance(value, dict):
        return _verification(value)
    if name == "verify" and value is False:
        return "None: a promotion does not look whether it is healthy"
    if name == "drain" and seconds:
        return f"The old instance stops {words.duration(value)} after the switch" if value else "At once"
    if name == "migrate_timeout" and seconds:
        return f"At most {words.duration(value)}"
    return _shown(name, value).capitalize()


def _verification(rule: Mapping[str, Any]) -> str:
    """`3 passes, 1 s apart, within 30 s`; what is not set is the engine's own and not named."""
    parts = []
    if (passes := rule.get("passes")) is not None:
        parts.append(f"{passes} pass{'' if passes == 1 else 'es'}")
    parts += [
        said.format(words.duration(value))
        for key, said in (("interval", "{} apart"), ("within", "within {}"))
        if isinstance(value := rule.get(key), int | float)
    ]
    others = {name: value for name, value in rule.items() if name not in ("passes", "interval", "within")}
    return ", ".join([*parts, *([_shown("verify", others)] if others else [])]) or "As usual"


def _shown(name: str, value: Any) -> str:
    """Any value in words, however deep it lies."""
    if any(word in name.lower() for word in HIDDEN):
        return "Hidden"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{_title(key).lower()} {_shown(key, inner)}" for key, inner in value.items()) or "nothing"
    if isinstance(value, list):
        return "; ".join(_shown(name, inner) for inner in value) or "nothing"
    return str(value)


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
