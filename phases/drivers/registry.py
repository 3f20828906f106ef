"""Which kinds of targets there are. A new kind: one file, one line here, one test."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import cast

from phases.drivers.base import Driver

KINDS: dict[str, str] = {
    "local": "phases.drivers.local.driver.LocalDriver",
    "scripted": "phases.drivers.scripted.ScriptedDriver",
}
"""Kind -> dotted path of a class that is made without arguments."""


class UnknownKind(LookupError):
    """No driver has this name."""


@cache
def driver(kind: str) -> Driver:
    """The driver of one kind of target; the same object for each call. Raises UnknownKind."""
    if kind not in KINDS:
        raise UnknownKind(f"There is no driver named {kind!r}. Known: {', '.join(sorted(KINDS))}.")
    module, name = KINDS[kind].rsplit(".", 1)
    return cast(Driver, getattr(import_module(module), name)())
