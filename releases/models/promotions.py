"""Promotions: one attempt to bring one release into one environment."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from releases import statuses


class Promotion(models.Model):
    """Its plan, configuration snapshot and rules are frozen at request; its status moves in `transitions`."""

    environment = models.ForeignKey("phases.Environment", on_delete=models.PROTECT, related_name="promotions")
    release = models.ForeignKey("releases.Release", on_delete=models.PROTECT, related_name="promotions")
    kind = models.CharField(max_length=10, choices=[(k, k) for k in statuses.KINDS])
    status = models.CharField(max_length=12, choices=[(s, s) for s in statuses.STATUSES], default="waiting")
    reason = models.CharField(max_length=2000, blank=True)
    """Why it ended as it did, or why it went back to waiting: one or two sentences."""
    comment = models.TextField(blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="requested"
    )
    requested_at = models.DateTimeField()
    not_before = models.DateTimeField(null=True, blank=True)
    not_after = models.DateTimeField(null=True, blank=True)
    approve_before = models.DateTimeField(null=True, blank=True)
    """When a promotion that still waits for approvals expires."""
    allow_lower = models.BooleanField(default=False)
    accept_one_way = models.BooleanField(default=False, db_default=False)
    """Somebody who may roll back there accepts that its migration cannot be undone."""

    # Frozen at request; renewed when what they were made from changed before the start.
    snapshot = models.JSONField(default=dict)
    """{key: {"value": …} or {"secret": ciphertext, "fingerprint": …, "version": n}}"""
    plan = models.JSONField(default=list)
    """StepSpec dictionaries, in order."""
    plan_version = models.PositiveSmallIntegerField(default=1, db_default=1)
    """The plan's format (`releases.formats`). The database knows the default too, for web processes of before."""
    target = models.JSONField(default=dict)
    """Driver, settings, instances and address it was planned for."""
    rules = models.JSONField(default=list)
    """[{"name", "role", "role_id", "count", "allow_requester", "allow_author"}]"""
    rules_read = models.JSONField(default=list)
    """The phase's rules when `rules` was last made from them: another reading voids the approvals."""
    seal = models.CharField(max_length=64)
    """SHA-256 over artifact, snapshot, plan and target: what an approval signs."""
    digest = models.CharField(max_length=64)
    """The artifact's SHA-256."""
    snapshot_of = models.CharField(max_length=8, default="today")
    """today, or then: a rollback may take the configuration that the release ran with."""

    replaces = models.ForeignKey("releases.Release", null=True, on_delete=models.SET_NULL, related_name="+")
    emergency_at = models.DateTimeField(null=True, blank=True)
    """Since when it is in the emergency lane: in front of all that is queued. None: in line."""
    emergency_reason = models.CharField(max_length=1000, blank=True, db_default="")
    emergency_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    retry_of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="retries")
    rolls_back = models.OneToOneField(
        "self", null=True, on_delete=models.SET_NULL, related_name="rolled_back_by", editable=False
    )
    """The promotion whose failed verification RelMan answers with this one: at most one for each."""
    superseded_by = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="supersedes")

    # The engine's hand on it.
    epoch = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    lease_owner = models.CharField(max_length=100, blank=True)
    wake_at = models.DateTimeField(null=True)
    """When the engine should look again."""
    abort_reason = models.CharField(max_length=1000, blank=True)
    abort_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    left = models.JSONField(default=dict)
    """What its steps left at the target, for later steps and later attempts."""
    cleanup = models.CharField(max_length=6, default="none")
    """none, due, done: the clean-up after the end."""
    takeovers = models.PositiveIntegerField(default=0)
    queued_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["environment"],
                condition=Q(status__in=statuses.ACTIVE),
                name="promotion_one_active_an_environment",
            ),
            models.CheckConstraint(condition=Q(status__in=statuses.STATUSES), name="promotion_status_known"),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=False) | Q(status__in=statuses.OPEN), name="promotion_end_has_time"
            ),
        ]
        indexes = [
            models.Index(
                fields=["environment", "-finished_at"], condition=Q(status="succeeded"), name="promotion_live"
            ),
            models.Index(
                fields=["environment", "-finished_at"],
                condition=Q(status__in=("failed", "errored", "rejected")),
                name="promotion_trouble",
            ),
            models.Index(fields=["environment", "-id"], name="promotion_newest"),
            models.Index(fields=["status", "id"], condition=Q(status__in=statuses.OPEN), name="promotion_open"),
            models.Index(fields=["id"], condition=Q(cleanup="due"), name="promotion_cleanup"),
            models.Index(fields=["environment"], condition=Q(lease_until__isnull=False), name="promotion_leased"),
            models.Index(fields=["release", "status"], name="promotion_release"),
            models.Index(fields=["release", "environment"], condition=Q(status="succeeded"), name="promotion_reached"),
            models.Index(fields=["-finished_at"], name="promotion_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.release} to {self.environment.phase}"

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.status in statuses.OPEN

    @property
    def is_active(self) -> bool:
        """Whether it occupies its environment: it runs or verifies."""
        return self.status in statuses.ACTIVE


class Step(models.Model):
    """One line of a plan as it is carried out."""

    promotion = models.ForeignKey(Promotion, on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=100)
    when = models.CharField(max_length=6, default="run")
    """run, verify, after or undo (see phases.drivers.base.StepSpec)."""
    resume = models.CharField(max_length=10, default="idempotent")
    timeout = models.FloatField(default=300)
    max_attempts = models.PositiveSmallIntegerField(default=3)
    parameters = models.JSONField(default=dict)
    status = models.CharField(max_length=10, default="pending", choices=[(s, s) for s in statuses.STEP_STATUSES])
    attempts = models.PositiveIntegerField(default=0)
    detail = models.CharField(max_length=2000, blank=True)
    wake_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("promotion", "number")
        constraints = [models.UniqueConstraint(fields=["promotion", "number"], name="step_number_unique")]

    def __str__(self) -> str:
        return f"{self.number}. {self.name}"


class LogLine(models.Model):
    """One masked line of a promotion's log."""

    promotion = models.ForeignKey(Promotion, on_delete=models.CASCADE, related_name="lines")
    step = models.PositiveSmallIntegerField(default=0)
    at = models.DateTimeField()
    level = models.CharField(max_length=5, default="info")
    """info, good, warn, error, group"""
    text = models.CharField(max_length=4000)

    class Meta:
        ordering = ("id",)
        indexes = [models.Index(fields=["promotion", "id"], name="logline_promotion")]

    def __str__(self) -> str:
        return self.text
