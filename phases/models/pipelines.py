"""Pipelines, their ordered phases, and the applications that travel them."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Deferrable, Q

from phases import tickets


def check_ticket_url(text: str) -> None:
    """ValidationError with the sentence for the form."""
    if not tickets.is_address(text):
        raise ValidationError(tickets.SAID)


class Pipeline(models.Model):
    """An ordered list of phases, named by its team."""

    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=300, blank=True)
    prerelease_until = models.ForeignKey(
        "phases.Phase", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    """The last phase that takes pre-releases; none: they may go everywhere."""
    revision = models.PositiveIntegerField(default=1)
    """Raised by each change of roles, grants, rules or phases: two editors notice each other."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Phase(models.Model):
    """One stop of a pipeline. Rights are given here."""

    pipeline = models.ForeignKey(Pipeline, on_delete=models.CASCADE, related_name="phases")
    slug = models.SlugField(max_length=63)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=300, blank=True)
    position = models.PositiveSmallIntegerField()
    optional = models.BooleanField(default=False, help_text="A release may skip this phase.")
    public = models.BooleanField(default=False, help_text="Its addresses are open to everybody.")
    in_order = models.BooleanField(
        default=False, help_text="Run every promotion in order; otherwise a newer one takes the place of older ones."
    )
    auto_rollback = models.BooleanField(
        default=False,
        db_default=False,
        help_text="When a verification fails after something lasting was done, go back without asking anybody.",
    )
    needs_way_back = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Nothing comes here unless the way back from it is ready, or somebody accepts that there is none.",
    )

    class Meta:
        ordering = ("pipeline_id", "position")
        constraints = [
            models.UniqueConstraint(fields=["pipeline", "slug"], name="phase_slug_unique"),
            models.UniqueConstraint(
                fields=["pipeline", "position"], name="phase_position_unique", deferrable=Deferrable.DEFERRED
            ),
        ]
        default_permissions = ()
        permissions = [
            ("view", "See the phase and what is in it"),
            ("open", "Open the addresses of its applications"),
            ("publish", "Publish releases into the pipeline"),
            ("promote", "Promote releases into it"),
            ("approve", "Approve or reject promotions into it"),
            ("sign_off", "Sign off tests, checklists and acceptance"),
            ("configure", "Change infrastructure, configuration and secrets"),
            ("roll_back", "Roll back to an earlier release"),
            ("freeze", "Freeze and lock it"),
            ("break_glass", "Override gates in an emergency"),
            ("manage_access", "Decide who may do what in it"),
        ]

    def __str__(self) -> str:
        return self.name


class Application(models.Model):
    """What is released."""

    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=300, blank=True)
    pipeline = models.ForeignKey(Pipeline, on_delete=models.PROTECT, related_name="applications")
    repository = models.URLField(blank=True)
    ticket_url = models.CharField(
        max_length=tickets.LONGEST, blank=True, default="", db_default="", validators=[check_ticket_url]
    )
    """Where tickets of its changes are told, with {ticket} for their name; empty: they stay words."""
    version_scheme = models.CharField(max_length=16, default="semver", choices=[("semver", "Semantic Versioning 2.0")])
    owner = models.ForeignKey("phases.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name", "slug")
        constraints = [models.CheckConstraint(condition=~Q(slug=""), name="application_slug_set")]

    def __str__(self) -> str:
        return self.name
