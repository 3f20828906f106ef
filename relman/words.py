"""Pure: statuses, times and sizes as people read them. One table for every page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Look:
    """How one kind of state is drawn: Lucide icon, tone class, and the word when nothing better is known."""

    icon: str
    tone: str
    word: str


OK = Look("circle-check", "ok", "Healthy")
RUN = Look("loader-circle", "run", "Running")
WAIT = Look("hourglass", "warn", "Waiting")
ATTENTION = Look("triangle-alert", "warn", "Needs a look")
NONE = Look("circle-dashed", "", "Not started")
UNKNOWN = Look("circle-help", "", "Unknown")
LOOKS = {
    # what a page shows that is no status of its own
    "ok": OK,
    "run": RUN,
    "wait": WAIT,
    "attention": ATTENTION,
    "review": Look("shield-alert", "warn", "Needs review"),
    "failed": Look("circle-x", "bad", "Failed"),
    "rejected": Look("ban", "bad", "Rejected"),
    "back": Look("undo-2", "bad", "Rolled back"),
    "scheduled": Look("calendar-clock", "", "Scheduled"),
    "queued": Look("list-end", "", "Queued"),
    "soak": Look("timer", "", "Soaking"),
    "window": Look("lock", "", "Outside the change window"),
    "frozen": Look("snowflake", "", "Frozen"),
    "none": NONE,
    "unknown": UNKNOWN,
    # what happens next
    "approval": WAIT,
    "health": ATTENTION,
    "drift": Look("triangle-alert", "warn", "Differs from the record"),
    "locked": Look("lock", "", "Locked"),
    "lock": Look("lock", "", "Locked"),
    "dependency": Look("list-tree", "", "Needs another release"),
    "order": Look("list-tree", "", "Not there yet"),
    "configuration": Look("wrench", "warn", "Configuration is incomplete"),
    "environment": Look("wrench", "warn", "Environment is not ready"),
    "blocked": Look("circle-x", "bad", "Blocked"),
    "ready": Look("arrow-right", "", "Ready to promote"),
    "nothing": Look("", "dim", "Same version everywhere"),
    # statuses of a promotion
    "waiting": WAIT,
    "running": RUN,
    "verifying": Look("loader-circle", "run", "Verifying"),
    "succeeded": Look("circle-check", "ok", "Succeeded"),
    "errored": Look("circle-help", "warn", "Outcome unknown"),
    "cancelled": Look("circle-minus", "", "Cancelled"),
    "aborted": Look("circle-stop", "warn", "Aborted"),
    "expired": Look("clock", "", "Expired"),
    "superseded": Look("forward", "", "Superseded"),
    # states of a step
    "pending": Look("circle-dashed", "", "To do"),
    "done": Look("circle-check", "ok", "Done"),
    "skipped": Look("minus", "", "Skipped"),
    # cells of a release's track
    "passed": Look("circle-check", "ok", "Passed"),
    "here": Look("circle-check", "ok", "Running"),
    # verdicts and approvals
    "overridden": Look("shield-alert", "warn", "Overridden"),
    "approved": Look("circle-check", "ok", "Approved"),
    "open": Look("hourglass", "warn", "Open"),
    "void": Look("circle-minus", "", "No longer counts"),
    # health
    "healthy": OK,
    "unhealthy": Look("triangle-alert", "warn", "Unhealthy"),
    # releases
    "published": Look("package", "", "Published"),
    "live": Look("circle-check", "ok", "Live"),
    "yanked": Look("ban", "warn", "Yanked"),
    "quarantined": Look("ban", "bad", "Quarantined"),
}
TILES = {
    "approval": "wait",
    "wait": "wait",
    "waiting": "wait",
    "errored": "wait",
    "health": "wait",
    "attention": "wait",
    "drift": "wait",
    "running": "move",
    "run": "move",
    "verifying": "move",
    "failed": "fail",
    "rejected": "fail",
}
"""Kind of what is pending -> surface of a tile; all others are quiet plans."""

WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def look(kind: str) -> Look:
    """The look of a kind; an unknown kind is drawn as unknown, never left out."""
    return LOOKS.get(str(kind), UNKNOWN)


def clock(moment: datetime, now: datetime) -> str:
    """`14:32` today, `Wed 17 Jun 06:00` within a year, else `2025-06-17 06:00`. Both in the reader's zone."""
    if moment.date() == now.date():
        return f"{moment:%H:%M}"
    if abs(moment - now) < timedelta(days=365):
        return f"{WEEKDAYS[moment.weekday()]} {moment.day} {MONTHS[moment.month - 1]} {moment:%H:%M}"
    return f"{moment:%Y-%m-%d %H:%M}"


def stamp(moment: datetime) -> str:
    """A moment with seconds: `Tue 16 Jun 14:31:58`."""
    return f"{WEEKDAYS[moment.weekday()]} {moment.day} {MONTHS[moment.month - 1]} {moment:%H:%M:%S}"


def full(moment: datetime) -> str:
    """For the tooltip: date, seconds and zone."""
    zone = moment.tzinfo.key if isinstance(moment.tzinfo, ZoneInfo) else f"{moment:%Z}"
    return f"{WEEKDAYS[moment.weekday()]} {moment.day} {MONTHS[moment.month - 1]} {moment:%Y, %H:%M:%S} {zone}"


def age(seconds: float) -> str:
    """`38 m`, `4 h`, `26 h` up to 48 hours, then `8 d`."""
    if seconds < 60:
        return "now"
    if seconds < 3600:
        return f"{int(seconds // 60)} m"
    if seconds < 48 * 3600:
        return f"{int(seconds // 3600)} h"
    return f"{int(seconds // 86400)} d"


def duration(seconds: float) -> str:
    """`0.4 s`, `42 s`, `6 min 14 s`, `3 h 5 min`."""
    if seconds < 1:
        return f"{max(seconds, 0.1):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(whole // 60, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def watch(seconds: float) -> str:
    """`0.4 s`, `0:18`, `1:42`, `1:02:05`: how long a step took."""
    if seconds < 1:
        return f"{min(max(seconds, 0.1), 0.9):.1f} s"
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def size(count: float) -> str:
    """Bytes as people read them: `812 bytes`, `84 MB`, `1.2 GB`."""
    if count < 1000:
        return f"{int(count)} bytes"
    for unit in ("kB", "MB", "GB", "TB"):
        count /= 1000
        if count < 1000 or unit == "TB":
            break
    return f"{count:.1f} {unit}" if count < 10 else f"{count:.0f} {unit}"


def short_digest(digest: str) -> str:
    """`sha256:9f2c41…e07b`."""
    bare = digest.removeprefix("sha256:")
    return f"sha256:{bare[:6]}…{bare[-4:]}" if len(bare) > 12 else digest


def initials(name: str) -> str:
    """Two letters for the round mark of a person."""
    words = [word for word in re.split(r"[\s\-_.]+", name) if word]
    letters = words[0][:1] + (words[-1][:1] if len(words) > 1 else words[0][1:2]) if words else "?"
    return letters.upper()
