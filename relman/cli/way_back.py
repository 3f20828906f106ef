"""The way back in words, for every command that tells of it."""

from __future__ import annotations

from typing import Any

from relman.cli.console import Console, local, text_of

Json = dict[str, Any]


def say_way_back(back: Json, console: Console) -> None:
    """Whether a rollback is ready, how long it usually takes, and what the last rehearsal showed."""
    console.say(f"way back: {text_of(back.get('sentence'))}")
    if not back.get("version"):
        return
    usual = back.get("usual_seconds")
    console.say(f"takes: {f'about {usual:.0f} s' if usual is not None else 'no history yet'}")
    console.say(f"rehearsed: {rehearsed(back.get('rehearsal'))}")


def rehearsed(last: Json | None) -> str:
    """`passed in qa, 2026-11-23 10:02 CET, from 1.1.0 to 1.0.0`."""
    if not last:
        return "never"
    other = "" if last.get("pair") else " (other releases than these)"
    return f"{last['state']} in {last['phase']}, {local(last['at'])}, from {last['leaves']} to {last['to']}{other}"
