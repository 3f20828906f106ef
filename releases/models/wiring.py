"""Rows that make deliveries certain: outbox, idempotency keys, heartbeats."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Outbox(models.Model):
    """A doorbell that must ring: written with the change, sent after commit, sent again until done."""

    promotion = models.ForeignKey("releases.Promotion", on_delete=models.CASCADE, related_name="+")
    due_at = models.DateTimeField(db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"ring {self.promotion_id}"


class IdempotencyKey(models.Model):
    """The answer to a POST that may come twice; kept for 24 h."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    path = models.CharField(max_length=500)
    key = models.CharField(max_length=200)
    body_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    response = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "path", "key"], name="idempotency_unique")]

    def __str__(self) -> str:
        return self.key


class Heartbeat(models.Model):
    """A worker or web process says that it lives."""

    name = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=16)
    at = models.DateTimeField()
    detail = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name
