"""Which holds count: the one place that says it."""

from __future__ import annotations

from django.db.models import QuerySet

from releases.models import Hold

NEVER_LEFT = ("cancelled", "expired", "superseded", "rejected")
"""Ends of a rollback that did not begin: it has left nothing, so it holds nothing."""


def standing() -> QuerySet[Hold]:
    """The holds that count."""
    return Hold.objects.filter(lifted_at=None).exclude(rollback__status__in=NEVER_LEFT).order_by("id")
