"""Decisions of people, sealed to what they saw."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class Approval(models.Model):
    """One person's yes or no to one promotion. Voided, never deleted, when what they signed changed."""

    promotion = models.ForeignKey("releases.Promotion", on_delete=models.CASCADE, related_name="approvals")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="approvals")
    decision = models.CharField(max_length=8, choices=[("approved", "Approved"), ("rejected", "Rejected")])
    comment = models.TextField(blank=True)
    seal = models.CharField(max_length=64)
    at = models.DateTimeField()
    voided_at = models.DateTimeField(null=True)
    void_reason = models.CharField(max_length=1000, blank=True)

    class Meta:
        ordering = ("at", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["promotion", "person"], condition=Q(voided_at=None), name="approval_one_a_person"
            )
        ]

    def __str__(self) -> str:
        return f"{self.person} {self.decision} {self.promotion_id}"
