"""Maintenance: while one is open nothing starts; what runs finishes."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class Maintenance(models.Model):
    """One time of maintenance, from its beginning to its end. At most one is open."""

    reason = models.CharField(max_length=1000)
    began_at = models.DateTimeField()
    began_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["ended_at"], condition=Q(ended_at=None), nulls_distinct=False, name="maintenance_one_open"
            )
        ]

    def __str__(self) -> str:
        return f"Maintenance {self.pk}"
