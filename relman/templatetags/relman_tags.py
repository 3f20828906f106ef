"""What templates say: statuses, icons, times. The tables are in relman/words.py."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django import template
from django.template.context import Context
from django.utils import timezone
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from relman import turned, words

register = template.Library()


@register.simple_tag
def icon(name: str, css: str = "", label: str = "") -> SafeString:
    """A Lucide icon of the sprite; with a label it speaks, without one it is decoration."""
    voice = format_html('role="img" aria-label="{}"', label) if label else SafeString('aria-hidden="true"')
    return format_html('<svg class="i{}" {}><use href="#i-{}"/></svg>', f" {css}" if css else "", voice, name)


def _symbol(look: words.Look, css: str = "") -> SafeString:
    turning = " spin" if look.icon == "loader-circle" else ""
    return icon(look.icon, f"{css}{turning}".strip()) if look.icon else SafeString("")


@register.simple_tag
def status(kind: str, text: Any = "", css: str = "") -> SafeString:
    """Icon and words of a state in its tone: `{% status "running" "Step 3 of 6" %}`."""
    look = words.look(kind)
    said = rich(text) if text else look.word
    return format_html('<span class="st {} {}">{}<span>{}</span></span>', look.tone, css, _symbol(look, "s"), said)


@register.simple_tag
def pill(kind: str, text: Any = "") -> SafeString:
    """The state of the page's object, beside its title."""
    look = words.look(kind)
    return format_html('<span class="pill {}">{}{}</span>', look.tone, _symbol(look, "s"), text or look.word)


@register.simple_tag
def state_icon(kind: str, css: str = "") -> SafeString:
    """Only the icon, in its tone: for lists whose words stand beside it."""
    look = words.look(kind)
    return _symbol(look, f"{look.tone} {css}".strip())


@register.filter
def tone(kind: str) -> str:
    """The tone class of a kind."""
    return words.look(kind).tone


@register.filter
def word(kind: str) -> str:
    """The word of a kind when nothing better is known."""
    return words.look(kind).word


@register.filter
def surface(kind: str) -> str:
    """The surface of a tile for what is pending there."""
    return words.TILES.get(str(kind), "plan")


@register.filter
def rich(text: Any) -> SafeString:
    """A sentence whose `**strong**` parts become bold and what stands between backticks code; all else is escaped. A
    long version may break at its +."""
    escaped = re.sub(r"(\S{8,}\+)(?=\S{8,})", r"\1<wbr>", conditional_escape(text))
    coded = re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)
    return mark_safe(re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", coded))  # noqa: S308 (escaped first)


@register.filter
def ended(text: Any) -> str:
    """A sentence with its full stop, where another one follows: what a program said often has none."""
    said = str(text).rstrip()
    return said if not said or said[-1] in ".!?…:;" else f"{said}."


def _time(moment: datetime, said: str, css: str = "") -> SafeString:
    here = timezone.localtime(moment)
    shape = format_html(' class="{}"', css) if css else ""
    return format_html(
        '<time datetime="{}" title="{}"{}>{}</time>', here.isoformat(timespec="seconds"), words.full(here), shape, said
    )


@register.filter
def when(moment: datetime | None) -> SafeString | str:
    """A moment as `<time>`: short to read, complete in the tooltip."""
    if not moment:
        return ""
    return _time(moment, words.clock(timezone.localtime(moment), timezone.localtime()))


@register.filter
def at(moment: datetime | None) -> SafeString | str:
    """A moment inside a sentence: `today at 09:50`, `Wed 17 Jun 06:00`."""
    if not moment:
        return ""
    here, now = timezone.localtime(moment), timezone.localtime()
    said = words.clock(here, now)
    return _time(moment, f"today at {said}" if here.date() == now.date() else said)


@register.filter
def stamp(moment: datetime | None) -> SafeString | str:
    """A moment with day and seconds: audit trail."""
    return _time(moment, words.stamp(timezone.localtime(moment))) if moment else ""


@register.filter
def seconds_of_day(moment: datetime | None) -> SafeString | str:
    """`14:31:58`: lines of a log."""
    return _time(moment, f"{timezone.localtime(moment):%H:%M:%S}") if moment else ""


@register.filter
def age(moment: datetime | None, css: str = "") -> SafeString | str:
    """How long ago, as `38 m`, `26 h`, `8 d`."""
    if not moment:
        return ""
    return _time(moment, words.age((timezone.now() - moment).total_seconds()), css)


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """`12 min ago` in a sentence, `just now` below a minute."""
    if not moment:
        return ""
    passed = (timezone.now() - moment).total_seconds()
    return _time(moment, "just now" if passed < 60 else f"{words.duration(passed // 60 * 60)} ago")


def _seconds(value: Any) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


@register.filter
def duration(value: Any) -> str:
    """Seconds or a timedelta as `6 min 14 s`; nothing for None."""
    return "" if value is None else words.duration(_seconds(value))


@register.filter
def watch(value: Any) -> str:
    """Seconds as `1:42`; nothing for None."""
    return "" if value is None else words.watch(_seconds(value))


@register.filter
def size(value: Any) -> str:
    """Bytes as `84 MB`."""
    return "" if value is None else words.size(float(value))


@register.filter
def more(value: Any) -> str:
    """A difference in bytes: `+3.0 MB`, `−812 bytes`."""
    return f"{'−' if value < 0 else '+'}{words.size(abs(float(value)))}"


@register.filter
def digest(value: str) -> SafeString | str:
    """A digest, short to read, complete in the tooltip."""
    return format_html('<code title="{}">{}</code>', value, words.short_digest(value)) if value else ""


@register.filter
def bare(address: str) -> str:
    """An address as people say it: `shop.live.example`, without scheme and last slash."""
    return str(address).partition("://")[2].rstrip("/") or str(address)


@register.filter
def seen(text: Any) -> SafeString:
    """Text that is compared: characters that nobody sees stand there by their number."""
    return turned.marked(conditional_escape(text), turned.UNSEEN)


@register.filter
def initials(name: Any) -> str:
    """Two letters for a person."""
    return words.initials(str(name))


@register.filter
def percent_class(value: Any) -> str:
    """The class of a width in steps of 5 %: no inline style is allowed."""
    return f"p-{max(0, min(100, round(float(value or 0) / 5) * 5))}"


WEIGHTS = (1, 2, 3, 4, 5, 6, 8, 10, 12)


@register.filter
def weight_class(value: Any) -> str:
    """The class of a relative width from 1 to 12."""
    return f"wt-{max(step for step in WEIGHTS if step <= max(1, float(value or 1)))}"


@register.filter
def columns(items: Any) -> str:
    """The class for so many columns."""
    return f"n{len(items)}" if 0 < len(items) < 7 else "many"


@register.filter
def names(people: Iterable[Any], limit: int = 3) -> SafeString:
    """`you`, `Maya Lindqvist` or `Leon Fischer and 2 more`: escaped, names in bold."""
    called = ["you" if getattr(person, "you", False) else getattr(person, "name", person) for person in people]
    bold = [format_html("<b>{}</b>", name) for name in called]
    if len(bold) > limit:
        return format_html(
            "{} and {} more", format_html_join(", ", "{}", _ones(bold[: limit - 1])), len(bold) - limit + 1
        )
    if len(bold) < 2:
        return bold[0] if bold else SafeString("")
    return format_html("{} and {}", format_html_join(", ", "{}", _ones(bold[:-1])), bold[-1])


def _ones(items: list[SafeString]) -> list[tuple[SafeString]]:
    return [(item,) for item in items]


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """`{{ counts|get:key }}`."""
    return mapping.get(key, "") if mapping else ""


@register.filter
def plus(value: int, more: int) -> int:
    """A sum of two whole numbers."""
    return int(value) + int(more)


@register.simple_tag
def one_time_key() -> SafeString:
    """The hidden key that stops a form from acting twice."""
    return format_html('<input type="hidden" name="idempotency_key" value="{}">', uuid4().hex)


@register.simple_tag(takes_context=True)
def here(context: Context, *prefixes: str) -> SafeString:
    """`aria-current` when the page lies below one of the paths."""
    path = getattr(context.get("request"), "path", "")
    return SafeString(' aria-current="page"' if any(path.startswith(prefix) for prefix in prefixes) else "")


@register.simple_tag(takes_context=True)
def with_query(context: Context, **changes: Any) -> str:
    """This page's query with some values changed; None or an empty value takes the key away."""
    request = context.get("request")
    query = request.GET.copy() if request else None
    if query is None:
        return ""
    for key, value in changes.items():
        if value in (None, ""):
            query.pop(key, None)
        else:
            query[key] = str(value)
    return f"?{query.urlencode()}"


@register.filter
def marked(text: str, q: str) -> SafeString:
    """The text with the words of a question marked in it."""
    wanted = "|".join(re.escape(word) for word in str(q).split())
    if not wanted:
        return conditional_escape(text)
    parts = re.split(f"({wanted})", str(text), flags=re.IGNORECASE)
    return format_html_join(
        "", "{}{}", ((part, _mark(hit)) for part, hit in zip(parts[::2], [*parts[1::2], ""], strict=True))
    )


def _mark(hit: str) -> SafeString:
    return format_html("<mark>{}</mark>", hit) if hit else SafeString("")
