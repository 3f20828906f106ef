"""What people type on the pages about releases and promotions. Only its form is checked here; the verbs judge it."""

from __future__ import annotations

import re
from itertools import islice, zip_longest
from typing import Any

from django import forms
from django.http import QueryDict

KIND = re.compile(r"([A-Za-z]{2,20}):\s*(?=\S)")
COMMENT_MOST = 10_000
TITLE_MOST, TICKET_MOST = 300, 64
ROWS_MOST = 200
"""Rows of changes: more are pasted as text."""
EMPTY_ROWS = 2
NO_CHANGE = {"kind": "", "title": "", "ticket": ""}


class Moment(forms.DateTimeField):
    """A time as the browser's own field sends it, in the reader's zone."""

    def __init__(self, **options: Any) -> None:
        """Options of the field; the widget and what it refuses are its own."""
        shape = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(widget=shape, error_messages={"invalid": "Write it like 2026-06-17T06:00."}, **options)


def _timed(form: forms.Form, choice: str, name: str, unsaid: str) -> dict[str, Any]:
    """What was said, with the time only where the choice beside it means one: "at". Without the choice it counts."""
    said = form.cleaned_data
    chosen = said.pop(choice, "")
    if chosen == "at" and not said.get(name) and name not in form.errors:
        form.add_error(name, unsaid)
    elif chosen and chosen != "at":
        form.errors.pop(name, None)
        said[name] = None
    return said


class Comment(forms.Form):
    """A comment that may be left out."""

    comment = forms.CharField(required=False, max_length=COMMENT_MOST, widget=forms.Textarea)


class Reason(forms.Form):
    """A reason that must be given: the verb says so."""

    reason = forms.CharField(required=False, max_length=1000, widget=forms.Textarea)


class Lock(Reason):
    """Why, and until when."""

    ends = forms.ChoiceField(required=False, choices=[("open", "Until somebody unlocks it"), ("at", "At a time")])
    until = Moment(required=False)

    def clean(self) -> dict[str, Any]:
        """The words of the verb."""
        return _timed(self, "ends", "until", "Say until when.")


class Maintenance(Reason):
    """Begin or end it."""

    on = forms.ChoiceField(choices=[("yes", "Begin"), ("no", "End")])


class Confirm(forms.Form):
    """Nothing to type."""


class Decision(Comment):
    """Yes, no, or taking a yes back."""

    decision = forms.ChoiceField(choices=[(word, word) for word in ("approve", "reject", "withdraw")])
    seal = forms.CharField(required=False, max_length=128)


class Resolve(forms.Form):
    """What is true of a promotion that nobody could look into."""

    reason = forms.CharField(
        max_length=COMMENT_MOST, widget=forms.Textarea, error_messages={"required": "Say how you know."}
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        words = [(word, word) for word in ("done", "failed", "again")]
        self.fields["as"] = forms.ChoiceField(
            choices=words, error_messages={"required": "Say what is true.", "invalid_choice": "Say what is true."}
        )


class Promote(Comment):
    """Ask for a promotion."""

    version = forms.CharField(max_length=128)
    start = forms.ChoiceField(required=False, choices=[("now", "Start now"), ("at", "At a time")])
    not_before = Moment(required=False)
    allow_lower = forms.BooleanField(required=False)
    accept_one_way = forms.BooleanField(required=False)
    emergency = forms.BooleanField(required=False)
    reason = forms.CharField(required=False, max_length=1000, widget=forms.Textarea)

    def clean(self) -> dict[str, Any]:
        """The words of the verb."""
        return _timed(self, "start", "not_before", "Say when it may start.")


class RollBack(Reason):
    """Go back to a release that ran there."""

    version = forms.CharField(max_length=128)
    configuration = forms.ChoiceField(
        choices=[("then", "As it ran then"), ("now", "Today's"), ("today", "Today's")], initial="then"
    )
    emergency = forms.BooleanField(required=False)
    confirm = forms.CharField(required=False, max_length=63)

    def __init__(self, *args: Any, confirm: str = "", **kwargs: Any) -> None:
        """`confirm`: the word that has to be typed; empty: none."""
        super().__init__(*args, **kwargs)
        self.word = confirm

    def clean_configuration(self) -> str:
        """The verb's word."""
        return "then" if self.cleaned_data["configuration"] == "then" else "today"

    def clean_confirm(self) -> str:
        """The slug, typed by hand, where people would notice."""
        typed = str(self.cleaned_data["confirm"]).strip()
        if self.word and typed != self.word:
            raise forms.ValidationError(f"Type {self.word} to go on.")
        return typed


class Publish(forms.Form):
    """A new release with its artifact, which lies in staging by now."""

    artifact = forms.FileField(error_messages={"required": "Choose the archive.", "empty": "The file is empty."})
    version = forms.CharField(max_length=128, error_messages={"required": "Name the version."})
    notes = forms.CharField(required=False, max_length=100_000, widget=forms.Textarea)
    commit = forms.CharField(required=False, max_length=64)
    changes = forms.CharField(required=False, max_length=200_000, widget=forms.Textarea)

    def clean_changes(self) -> list[dict[str, str]]:
        """The rows, then what was pasted, one change a line: `kind: title (ticket)`."""
        rows = [row for row in self.rows if any(row.values())]
        for number, row in enumerate(rows, 1):
            if not row["title"] or len(row["title"]) > TITLE_MOST or len(row["ticket"]) > TICKET_MOST:
                raise forms.ValidationError(
                    f"Change {number}: say in at most {TITLE_MOST} characters what people notice, "
                    f"and the ticket in at most {TICKET_MOST}."
                )
        lines = [line.strip() for line in str(self.cleaned_data["changes"]).splitlines()]
        return [*rows, *(change_of(line) for line in lines if line)]

    @property
    def rows(self) -> list[dict[str, str]]:
        """The changes as they were typed in rows."""
        data = self.data if isinstance(self.data, QueryDict) else QueryDict()
        columns = [[one.strip() for one in data.getlist(f"change_{name}")] for name in ("kind", "title", "ticket")]
        found = zip_longest(*columns, fillvalue="")
        return [{"kind": kind, "title": title, "ticket": ticket} for kind, title, ticket in islice(found, ROWS_MOST)]

    @property
    def shown_rows(self) -> list[dict[str, str]]:
        """As typed, one more or one less when a button asked for it; never fewer than one."""
        rows, gone = self.rows, self.data.get("remove", "")
        if gone.isascii() and gone.isdigit() and len(gone) < 4 and int(gone) < len(rows):
            del rows[int(gone)]
        if "add" in self.data and len(rows) < ROWS_MOST:
            rows.append(NO_CHANGE)
        return rows or [NO_CHANGE] * EMPTY_ROWS


def change_of(line: str) -> dict[str, str]:
    """`feature: Loyalty points (SHOP-2210)` in its parts; kind and ticket may be missing.

    Each part is cut off by itself: one pattern for the whole line takes minutes over a few thousand blanks.
    """
    found, rest = KIND.match(line), line.strip()
    kind, rest = (found[1].lower(), line[found.end() :].strip()) if found else ("", rest)
    title, opened, ticket = rest[:-1].rpartition("(") if rest.endswith(")") else (rest, "", "")
    if not opened or not title.strip() or not 0 < len(ticket) <= TICKET_MOST or ")" in ticket:
        title, ticket = rest, ""
    return {"kind": kind, "title": title.strip()[:TITLE_MOST], "ticket": ticket.strip()}
