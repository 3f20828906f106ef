"""Where a promotion stands in the queue, as a person reads it."""

from __future__ import annotations

from typing import Any

from relman.cli.console import Console, local, text_of


def say_queue(promotion: dict[str, Any], console: Console) -> None:
    """Its place, what is in front of it, the estimate; nothing once it has started or when nothing is known."""
    if promotion.get("emergency_at"):
        by = text_of(promotion.get("emergency_by"))
        console.say(f"emergency lane: since {local(promotion['emergency_at'])}, by {by}: "
                    f"{text_of(promotion.get('emergency_reason'))}")  # fmt: skip
    queue = promotion.get("queue")
    if not queue:
        return
    place = f"number {queue['position']} of {queue.get('length')}. " if queue.get("position") else ""
    console.say(f"queue: {place}{text_of(queue.get('text'))}")
    for one in queue.get("in_front") or []:
        console.say(console.paint(f"  in front: {line(one)}", "dim"))
    if queue.get("more"):
        console.say(console.paint(f"  and {queue['more']} more", "dim"))


def line(one: dict[str, Any]) -> str:
    """One promotion in front; of those that this token may not see there is no number."""
    number = f"promotion {one['promotion']}, {text_of(one.get('status'))}: " if one.get("promotion") else ""
    return number + text_of(one.get("text"))
