"""What people type about themselves."""

from __future__ import annotations

from zoneinfo import available_timezones

from django import forms

THEMES = [("", "As the system"), ("light", "Light"), ("dark", "Dark")]


class SignIn(forms.Form):
    """Name and password."""

    username = forms.CharField(max_length=150)
    password = forms.CharField(max_length=4096, strip=False, widget=forms.PasswordInput)


class Display(forms.Form):
    """How RelMan looks for oneself."""

    theme = forms.ChoiceField(required=False, choices=THEMES)
    time_zone = forms.CharField(required=False, max_length=64)
    shortcuts = forms.BooleanField(required=False)

    def clean_time_zone(self) -> str:
        """A name of the IANA database, or nothing."""
        name = str(self.cleaned_data["time_zone"]).strip()
        if name and name not in available_timezones():
            raise forms.ValidationError(f"There is no time zone “{name}”. Write it like Europe/Berlin.")
        return name


class NewToken(forms.Form):
    """A token's name."""

    token_name = forms.CharField(max_length=100)
