"""The one table of the foundations."""

from __future__ import annotations

from django.db import models


class Failure(models.Model):
    """One failed sign-in or made-up token, counted by `relman.throttle` and forgotten after an hour."""

    key = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["key", "at"], name="failure_recent")]

    def __str__(self) -> str:
        return f"{self.key} at {self.at}"
