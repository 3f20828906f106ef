"""One application in one phase: its target, components, size, configuration and locks."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q


class Environment(models.Model):
    """Where a promotion goes. What is live in it is derived from promotions, never stored here."""

    application = models.ForeignKey("phases.Application", on_delete=models.CASCADE, related_name="environments")
    phase = models.ForeignKey("phases.Phase", on_delete=models.PROTECT, related_name="environments")
    driver = models.CharField(max_length=32, default="local")
    settings = models.JSONField(default=dict, blank=True)
    instances = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(12)], help_text="How many copies run."
    )
    memory = models.PositiveIntegerField(null=True, blank=True, help_text="MiB for each instance, as planned.")
    cpu = models.DecimalField(null=True, blank=True, max_digits=5, decimal_places=2, help_text="Cores, as planned.")
    epoch = models.BigIntegerField(default=0, editable=False)
    """The fencing token: raised by each claim."""
    served_at = models.DateTimeField(null=True, editable=False)
    """When a worker last began a promotion here: whose application was served longest ago has its turn."""
    health = models.CharField(max_length=16, default="unknown", editable=False)
    """healthy, unhealthy or unknown, as last looked at."""
    health_detail = models.CharField(max_length=300, blank=True, editable=False)
    health_at = models.DateTimeField(null=True, editable=False)
    health_since = models.DateTimeField(null=True, editable=False)
    observed = models.JSONField(default=dict, db_default={}, editable=False)
    """The last look at what runs: promotion, version, digest, running, wanted, restarts; empty: never looked at."""
    drift = models.JSONField(default=dict, db_default={}, editable=False)
    """Where what runs is not what the record says (`releases.reality.Drift`); empty: nowhere."""
    drift_since = models.DateTimeField(null=True, editable=False)
    doubt = models.JSONField(default=dict, db_default={}, editable=False)
    """What a single look found otherwise: only a second one in a row changes `drift`."""
    findings = models.JSONField(default=list, editable=False)
    """The last readiness check: [{name, ok, sentence}]; empty: never checked."""
    checked_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("application_id", "phase__position")
        constraints = [
            models.UniqueConstraint(fields=["application", "phase"], name="environment_unique"),
            models.CheckConstraint(
                condition=Q(health__in=("healthy", "unhealthy", "unknown")), name="environment_health_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.application} in {self.phase}"

    @property
    def host(self) -> str:
        """The DNS name of its address, without the port."""
        return f"{self.application.slug}.{self.phase.slug}.localhost"


class HealthChange(models.Model):
    """One change of an environment's health, or a restart that nobody asked for."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="health_changes")
    at = models.DateTimeField()
    before = models.CharField(max_length=16)
    health = models.CharField(max_length=16)
    """healthy, unhealthy or unknown; the same as before: it was restarted."""
    detail = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = [models.Index(fields=["environment", "-at"], name="health_change_newest")]

    def __str__(self) -> str:
        return f"{self.health} at {self.at}"


class Component(models.Model):
    """A piece of infrastructure that an environment uses: a database, a queue, a host."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="components")
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=100)
    identifier = models.CharField(max_length=300, blank=True)
    size = models.CharField(max_length=100, blank=True)
    shared = models.BooleanField(default=False, help_text="Declared as shared with another phase.")

    class Meta:
        ordering = ("name",)
        constraints = [models.UniqueConstraint(fields=["environment", "name"], name="component_name_unique")]

    def __str__(self) -> str:
        return self.name


class Variable(models.Model):
    """One configuration value. A secret is stored encrypted and never shown again."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="variables")
    key = models.CharField(max_length=128)
    value = models.TextField(blank=True)
    secret = models.BooleanField(default=False)
    ciphertext = models.TextField(blank=True, editable=False)
    fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    """Keyed hash of a secret: tells whether it changed, tells nothing else."""
    version = models.PositiveIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey("phases.User", null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ("key",)
        constraints = [
            models.UniqueConstraint(fields=["environment", "key"], name="variable_key_unique"),
            models.CheckConstraint(condition=Q(secret=False) | Q(value=""), name="variable_secret_never_plain"),
        ]

    def __str__(self) -> str:
        return self.key


class Lock(models.Model):
    """Holds every promotion of one environment, or of a whole phase, until it is released: `released_at` says so."""

    phase = models.ForeignKey("phases.Phase", null=True, on_delete=models.CASCADE, related_name="locks")
    environment = models.ForeignKey(Environment, null=True, on_delete=models.CASCADE, related_name="locks")
    reason = models.CharField(max_length=300)
    by = models.ForeignKey("phases.User", null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    until = models.DateTimeField(null=True, blank=True)
    """When the safety round releases it by itself; empty: somebody unlocks it."""
    released_at = models.DateTimeField(null=True)
    released_by = models.ForeignKey("phases.User", null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(phase__isnull=True) ^ Q(environment__isnull=True), name="lock_has_one_scope"
            ),
            models.UniqueConstraint(fields=["phase"], condition=Q(released_at=None), name="lock_one_a_phase"),
            models.UniqueConstraint(
                fields=["environment"], condition=Q(released_at=None), name="lock_one_an_environment"
            ),
        ]

    def __str__(self) -> str:
        return self.reason
