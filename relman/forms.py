"""What people type about themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast
from zoneinfo import available_timezones

from django import forms
from django.conf import settings

from phases.permissions.table import LABELS
from phases.queries import TokenScope
from relman import clock

NEVER = "never"
ENDS = [
    ("7", "In a week"),
    ("30", "In 30 days"),
    ("90", "In 90 days"),
    ("365", "In a year"),
    (NEVER, "Never, until it is revoked"),
]
REGIONS = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
"""Of the names of time zones; what else the database has are older names and fixed distances from UTC."""
THEMES = [("", "As the system"), ("light", "Light"), ("dark", "Dark")]


class SignIn(forms.Form):
    """Name and password."""

    username = forms.CharField(max_length=150)
    password = forms.CharField(max_length=4096, strip=False, widget=forms.PasswordInput)


class Display(forms.Form):
    """How RelMan looks for oneself."""

    theme = forms.ChoiceField(required=False, choices=THEMES)
    time_zone = forms.CharField(required=False, max_length=64, widget=forms.Select)
    shortcuts = forms.BooleanField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = str(self["time_zone"].value() or "")
        cast(forms.Select, self.fields["time_zone"].widget).choices = zones(known)

    def clean_time_zone(self) -> str:
        """A name of the IANA database, or nothing."""
        name = str(self.cleaned_data["time_zone"]).strip()
        if name and name not in available_timezones():
            raise forms.ValidationError(f"There is no time zone “{name}”. Choose one of the list.")
        return name


def zones(known: str) -> list[tuple[str, Any]]:
    """The places to choose from, by region; first the server's zone, and one that was chosen under an older name."""
    regions: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(available_timezones()):
        region, _, place = name.partition("/")
        if place and region in REGIONS:
            regions.setdefault(region, []).append((name, place.replace("_", " ").replace("/", ": ")))
    listed = {name for places in regions.values() for name, _ in places}
    first = [("", f"As the server ({settings.TIME_ZONE})"), ("UTC", "UTC")]
    if known not in {"", "UTC", *listed}:
        first.append((known, known))
    return [*first, *regions.items()]


class NewToken(forms.Form):
    """A token: what it is for, when it ends, and what it is limited to. Nothing ticked of a kind: no limit of it."""

    token_name = forms.CharField(
        label="What it is for",
        max_length=100,
        error_messages={
            "required": "Name the token: where is it used?",
            "max_length": "Name the token in at most 100 characters.",
        },
    )
    ends = forms.ChoiceField(label="Ends", choices=ENDS, initial="90", required=False)
    rights = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    applications = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    phases = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, scope: TokenScope, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scope = scope
        offered = {
            "rights": [(right, LABELS[right]) for right in scope.rights],
            "applications": [(one.slug, one.name) for one in scope.applications],
            "phases": [(name, f"{one.pipeline.name}: {one.name}") for name, one in scope.phases.items()],
        }
        for name, choices in offered.items():
            field = cast(forms.MultipleChoiceField, self.fields[name])
            field.choices = choices
            field.error_messages["invalid_choice"] = "You cannot give a token more than you have yourself."

    @property
    def limited(self) -> bool:
        """Whether any limit was ticked, or refused: then the limits are shown open."""
        return any(self[name].value() or self[name].errors for name in ("rights", "applications", "phases"))

    def clean(self) -> dict[str, Any]:
        """The words of the verb."""
        said, scope = self.cleaned_data, self.scope
        days = said.get("ends") or "90"
        return {
            "name": said.get("token_name", "").strip(),
            "expires_at": None if days == NEVER else clock.now() + timedelta(days=int(days)),
            "rights": said.get("rights") or (),
            "applications": [one for one in scope.applications if one.slug in said.get("applications", ())] or None,
            "phases": [scope.phases[name] for name in said.get("phases", ())] or None,
        }
