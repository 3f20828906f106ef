"""Ways back: releases that stay out of a phase until a person says otherwise, and rollbacks that were rehearsed."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

REHEARSAL_OPEN = ("back", "forth")
"""On the way to the release before, and on the way forward again."""
REHEARSAL_STATES = (*REHEARSAL_OPEN, "passed", "failed", "stopped")


class Hold(models.Model):
    """Nothing brings this release there by itself: it was rolled back. People may still promote it."""

    release = models.ForeignKey("releases.Release", on_delete=models.CASCADE, related_name="holds")
    environment = models.ForeignKey("phases.Environment", on_delete=models.CASCADE, related_name="+")
    rollback = models.ForeignKey("releases.Promotion", on_delete=models.CASCADE, related_name="holds")
    """The promotion that leaves the release."""
    reason = models.CharField(max_length=1000)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    lifted_reason = models.CharField(max_length=1000, blank=True)

    class Meta:
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(
                fields=["release", "environment"], condition=Q(lifted_at=None), name="hold_one_a_place"
            )
        ]

    def __str__(self) -> str:
        return f"{self.release} held in {self.environment.phase}"


class Rehearsal(models.Model):
    """A rollback that was practised: back to the release before, and forward again."""

    environment = models.ForeignKey("phases.Environment", on_delete=models.CASCADE, related_name="rehearsals")
    leaves = models.ForeignKey("releases.Release", on_delete=models.PROTECT, related_name="+")
    """What was live, and is brought again."""
    to = models.ForeignKey("releases.Release", on_delete=models.PROTECT, related_name="+")
    back = models.OneToOneField("releases.Promotion", on_delete=models.PROTECT, related_name="rehearsed_back")
    forth = models.OneToOneField(
        "releases.Promotion", null=True, on_delete=models.PROTECT, related_name="rehearsed_forth"
    )
    state = models.CharField(max_length=8, default="back", choices=[(s, s) for s in REHEARSAL_STATES])
    reason = models.CharField(max_length=2000, blank=True)
    """How it ended, in one or two sentences."""
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["environment"], condition=Q(state__in=REHEARSAL_OPEN), name="rehearsal_one_open"
            ),
            models.CheckConstraint(condition=Q(state__in=REHEARSAL_STATES), name="rehearsal_state_known"),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=True) ^ ~Q(state__in=REHEARSAL_OPEN), name="rehearsal_end_has_time"
            ),
        ]

    def __str__(self) -> str:
        return f"Rehearsal of {self.leaves} to {self.to.version} in {self.environment.phase}"
