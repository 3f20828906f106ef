"""What people type on the pages that set up where releases go. Only its form is checked here; the verbs judge it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self, cast

from django import forms
from django.http import QueryDict
from django.utils.text import slugify

from phases.drivers.registry import KINDS
from phases.models import Environment, Phase, Pipeline
from phases.templates import TEMPLATES

OWN = "own"
TICKET_HELP = "Where tickets are, with {ticket} for their name: https://example.org/browse/{ticket}. Empty: no links."
SLUG_HELP = "Part of every address. Small letters, digits and dashes."


def choose(form: forms.Form, name: str, choices: Sequence[tuple[str, str]]) -> None:
    """Say what a choice field offers."""
    cast(forms.ChoiceField, form.fields[name]).choices = choices


class SetKey(forms.Form):
    """One configuration value by its name: `wanted` is what the verb takes."""

    key = forms.CharField(max_length=128, error_messages={"required": "Name the key."})
    value = forms.CharField(required=False, strip=False, widget=forms.Textarea)
    secret = forms.BooleanField(required=False)

    def clean(self) -> dict[str, Any]:
        """`wanted`: value and kind."""
        value = self.cleaned_data.get("value", "").replace("\r\n", "\n")
        wanted = {"value": value, "secret": bool(self.cleaned_data.get("secret"))}
        return {"key": self.cleaned_data.get("key", ""), "wanted": wanted}

    def without_secret(self) -> Self:
        """To be drawn again: what was typed stays, but never a secret."""
        if self.is_bound and self.data.get("secret"):
            self.data = {**self.data.dict(), "value": ""} if isinstance(self.data, QueryDict) else self.data
        return self


class ChangeKey(SetKey):
    """Another value for a key that is there. A secret whose field stays empty keeps the value that it has."""

    def __init__(self, *args: Any, known: bool, secret: bool, value: str | None, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "initial": {"value": value or "", "secret": secret}})
        del self.fields["key"]
        self.hidden = known and secret

    def clean(self) -> dict[str, Any]:
        """`wanted`: value and kind; for a secret left as it is only its kind."""
        wanted = super().clean()["wanted"]
        if self.hidden and not wanted["value"]:
            wanted = {"secret": wanted["secret"]}
        return {"wanted": wanted}


class NewPipeline(forms.Form):
    """A pipeline from a template, or from phases of one's own."""

    name = forms.CharField(max_length=100, error_messages={"required": "Name the pipeline."})
    slug = forms.CharField(
        label="Short name", required=False, max_length=63, help_text=f"{SLUG_HELP} Empty: from the name."
    )
    description = forms.CharField(required=False, max_length=300)
    layout = forms.ChoiceField(
        label="Phases", choices=[*((key, one.name) for key, one in TEMPLATES.items()), (OWN, "My own list")]
    )
    phases = forms.CharField(
        label="My own list",
        required=False,
        max_length=5000,
        widget=forms.Textarea,
        help_text="One phase a line, in order: its name, or name and short name as “User acceptance, uat”. "
        "The last one is open to everybody when its line ends with “public”.",
    )

    def clean(self) -> dict[str, Any]:
        """`layout` as the verb takes it; the short name from the name when it is empty."""
        said = dict(self.cleaned_data)
        own = said.pop("phases", "")
        if said.get("layout") == OWN:
            said["layout"] = [phase_of(line) for line in own.splitlines() if line.strip()]
            if not said["layout"]:
                self.add_error("phases", "List at least one phase.")
        said["slug"] = said.get("slug") or slugify(said.get("name", ""))[:63].strip("-")
        return said


def phase_of(line: str) -> dict[str, Any]:
    """`User acceptance, uat, public` as the verb takes a phase."""
    parts = [part.strip() for part in line.split(",")]
    words = [part for part in parts[1:] if part]
    flags = {word: True for word in words if word in ("public", "optional")}
    slug = next((word for word in words if word not in flags), "")
    return {"name": parts[0], "slug": slug, **flags} if slug else {"name": parts[0], **flags}


class EditPipeline(forms.Form):
    """A pipeline's words, and where pre-releases stop."""

    name = forms.CharField(max_length=100)
    description = forms.CharField(required=False, max_length=300)
    prerelease_until = forms.ChoiceField(
        label="Pre-releases go up to", required=False, help_text="Later phases refuse versions like 2.0.0-rc.1."
    )

    def __init__(self, *args: Any, phases: Sequence[Phase], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by_slug = {one.slug: one for one in phases}
        choose(self, "prerelease_until", [("", "Everywhere"), *((one.slug, one.name) for one in phases)])

    def clean(self) -> dict[str, Any]:
        """`prerelease_until` as a phase; nothing chosen: everywhere."""
        chosen = self.by_slug.get(self.cleaned_data.get("prerelease_until", ""))
        return {**self.cleaned_data, "prerelease_until": chosen, "prereleases_everywhere": chosen is None}


class AddPhase(forms.Form):
    """A phase to add to a pipeline, or, with `moves`, one that goes a place forward."""

    name = forms.CharField(max_length=100, error_messages={"required": "Name the phase."})
    slug = forms.CharField(label="Short name", required=False, max_length=63)
    after = forms.ChoiceField(label="Comes after", required=False)
    like = forms.ChoiceField(
        label="Rights like", required=False, help_text="Whoever has a role there has it here too. Empty: nobody yet."
    )
    description = forms.CharField(required=False, max_length=300)
    optional = forms.BooleanField(required=False)
    in_order = forms.BooleanField(required=False)
    auto_rollback = forms.BooleanField(required=False)
    needs_way_back = forms.BooleanField(required=False)
    public = forms.BooleanField(required=False, label="Open to everybody")

    def __init__(self, *args: Any, phases: Sequence[Phase], moves: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.moves, self.by_slug = moves, {one.slug: one for one in phases}
        names = [(one.slug, one.name) for one in phases]
        choose(self, "after", [("", "Nothing: it is the first"), *names])
        choose(self, "like", [("", "Nobody yet"), *names])
        if len(phases) > 1:
            self.initial.setdefault("after", phases[-2].slug)
        if moves:
            self.fields.clear()

    def clean(self) -> dict[str, Any]:
        """The place as a position, `like` as a phase."""
        if self.moves:
            return {"earlier": self.moves}
        said = dict(self.cleaned_data)
        after = self.by_slug.get(said.pop("after", ""))
        return {**said, "position": after.position + 1 if after else 1, "like": self.by_slug.get(said.get("like", ""))}


class EditPhase(forms.Form):
    """A phase's words and flags."""

    name = forms.CharField(max_length=100)
    slug = forms.CharField(
        label="Short name", max_length=63, help_text="Can change only while no application has an environment there."
    )
    description = forms.CharField(required=False, max_length=300)
    optional = forms.BooleanField(required=False, help_text="Releases may skip it.")
    public = forms.BooleanField(
        required=False, label="Open to everybody", help_text="Its addresses ask nobody to sign in."
    )
    in_order = forms.BooleanField(
        required=False,
        label="Every release in order",
        help_text="Otherwise a newer request takes the place of an older one.",
    )
    auto_rollback = forms.BooleanField(
        required=False,
        label="Roll back without asking",
        help_text="When a verification fails after a migration or with the traffic: once, to what ran before.",
    )
    needs_way_back = forms.BooleanField(
        required=False,
        label="Nothing without a way back",
        help_text="What ran before must be ready to come again, or somebody who may roll back accepts that it is not.",
    )


class NewApplication(forms.Form):
    """What is released."""

    pipeline = forms.ChoiceField()
    name = forms.CharField(max_length=100, error_messages={"required": "Name the application."})
    slug = forms.CharField(
        label="Short name", required=False, max_length=63, help_text=f"{SLUG_HELP} Empty: from the name."
    )
    description = forms.CharField(required=False, max_length=300)
    repository = forms.URLField(required=False, assume_scheme="https", help_text="Where its source is.")
    ticket_url = forms.CharField(label="Tickets", required=False, max_length=300, help_text=TICKET_HELP)

    def __init__(self, *args: Any, pipelines: Sequence[Pipeline], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by_slug = {one.slug: one for one in pipelines}
        choose(self, "pipeline", [(one.slug, one.name) for one in pipelines])

    def clean(self) -> dict[str, Any]:
        """`pipeline` as a pipeline; the short name from the name when it is empty."""
        said = dict(self.cleaned_data)
        said["slug"] = said.get("slug") or slugify(said.get("name", ""))[:63].strip("-")
        return {**said, "pipeline": self.by_slug.get(said.get("pipeline", ""))}


class EditApplication(forms.Form):
    """An application's words."""

    name = forms.CharField(max_length=100)
    description = forms.CharField(required=False, max_length=300)
    repository = forms.URLField(required=False, assume_scheme="https", help_text="Where its source is.")
    ticket_url = forms.CharField(label="Tickets", required=False, max_length=300, help_text=TICKET_HELP)


class Size(forms.Form):
    """How large an environment is, and its driver's settings."""

    instances = forms.IntegerField(min_value=1, max_value=12, initial=1, help_text="How many copies run.")
    memory = forms.IntegerField(
        required=False, min_value=1, label="Memory in MiB", help_text="For each instance, as planned."
    )
    cpu = forms.DecimalField(
        required=False,
        min_value=0,
        max_digits=5,
        decimal_places=2,
        label="Cores",
        help_text="For each instance, as planned.",
    )
    settings = forms.CharField(
        required=False,
        max_length=10_000,
        widget=forms.Textarea,
        help_text="For the driver, one a line: name = value, as “drain = 5” or “verify.passes = 3”. "
        "Most environments need none.",
    )

    def clean_settings(self) -> dict[str, Any]:
        """The lines as names and values; a value that is JSON is taken as such."""
        return settings_of(self.cleaned_data["settings"])


class NewEnvironment(Size):
    """A place for an application in a phase."""

    driver = forms.ChoiceField(choices=[(kind, kind.capitalize()) for kind in KINDS], initial="local")
    field_order = ("driver", "instances", "memory", "cpu", "settings")


class NewComponent(forms.Form):
    """A piece of infrastructure that an environment uses."""

    kind = forms.CharField(max_length=32, help_text="Database, queue, host, …")
    name = forms.CharField(max_length=100)
    identifier = forms.CharField(required=False, max_length=300, help_text="How the infrastructure calls it.")
    size = forms.CharField(required=False, max_length=100, help_text="For example 2 nodes, 8 cores, 32 GB.")
    shared = forms.BooleanField(required=False, help_text="Another phase uses it too, and that is meant.")


class Confirm(forms.Form):
    """Nothing to type."""


def settings_of(text: str) -> dict[str, Any]:
    """`drain = 5` a line, as a mapping; `verify.within = 30` goes into `verify`. ValidationError names the line."""
    found: dict[str, Any] = {}
    for line in text.splitlines():
        name, sign, value = (part.strip() for part in line.partition("="))
        if not line.strip():
            continue
        inside, *rest = reversed(name.split("."))
        if not sign or not all((inside, *rest)):
            raise forms.ValidationError(f"“{line.strip()[:60]}” is not name = value.")
        place = found
        for part in reversed(rest):
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise forms.ValidationError(f"“{line.strip()[:60]}”: {part} has a value of its own already.")
        place[inside] = value_of(value)
    return found


def value_of(text: str) -> Any:
    """A JSON value, or else the text as it stands."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def written(environment: Environment) -> dict[str, Any]:
    """An environment's size and settings as the form shows them."""
    return {
        "instances": environment.instances,
        "memory": environment.memory,
        "cpu": environment.cpu,
        "settings": "\n".join(_lines(environment.settings)),
    }


def _lines(settings: Mapping[str, Any], inside: str = "") -> Iterator[str]:
    """One line a value: mappings are taken apart where their names allow it."""
    for name, value in settings.items():
        plain = isinstance(value, dict) and value and all(key and "." not in key and "=" not in key for key in value)
        if plain:
            yield from _lines(value, f"{inside}{name}.")
        else:
            yield f"{inside}{name} = {json.dumps(value)}"
