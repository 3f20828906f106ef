"""The append-only record and its chain."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Event(models.Model):
    """One verb, done or refused. Speaks in words and numbers of its own: it outlives what it speaks of."""

    at = models.DateTimeField(db_index=True, db_default=Now())
    """The database's time."""
    verb = models.CharField(max_length=64)
    """Object and past participle: promotion.approved, grant.created."""
    outcome = models.CharField(max_length=8, default="done")
    """done or refused"""
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=150)
    actor_role = models.CharField(max_length=200, blank=True)
    via = models.CharField(max_length=8)
    address = models.CharField(max_length=64, blank=True)
    token = models.CharField(max_length=16, blank=True)
    """Prefix of the token that acted."""
    subject_type = models.CharField(max_length=32, blank=True)
    subject_id = models.BigIntegerField(null=True)
    subject = models.CharField(max_length=300, blank=True)
    pipeline_id = models.BigIntegerField(null=True)
    application = models.CharField(max_length=63, blank=True)
    phase_id = models.BigIntegerField(null=True, db_index=True)
    phase = models.CharField(max_length=63, blank=True)
    version = models.CharField(max_length=128, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    promotion_id = models.BigIntegerField(null=True, db_index=True)
    detail = models.CharField(max_length=2000, blank=True)
    """The sentence that people read."""
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        ordering = ("-id",)
        indexes = [
            models.Index(fields=["application", "-id"], name="event_application"),
            models.Index(fields=["subject_type", "subject_id", "-id"], name="event_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} by {self.actor_name}"


class Link(models.Model):
    """One link of the chain, written after commit by the one sealer: hash of the link before and the event."""

    sequence = models.BigIntegerField(primary_key=True)
    event = models.OneToOneField(Event, on_delete=models.PROTECT, related_name="link")
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ("sequence",)

    def __str__(self) -> str:
        return f"{self.sequence}: {self.hash}"
