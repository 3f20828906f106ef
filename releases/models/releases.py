"""Releases, their artifacts and their change items. Frozen once published."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class Release(models.Model):
    """One version of one application."""

    application = models.ForeignKey("phases.Application", on_delete=models.PROTECT, related_name="releases")
    version = models.CharField(max_length=128)
    precedence = models.CharField(max_length=512, db_collation="C")
    """Sorts as the version scheme orders; equal precedence is the same version."""
    channel = models.CharField(max_length=64, default="stable")
    commit = models.CharField(max_length=64, blank=True)
    notes = models.TextField(blank=True)
    author = models.CharField(max_length=150, blank=True)
    """Who wrote it, as the request said, or the account that published."""
    author_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="authored"
    )
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="published"
    )
    published_at = models.DateTimeField()
    manifest = models.JSONField(default=dict)
    withdrawn = models.CharField(
        max_length=11, blank=True, choices=[("", "No"), ("yanked", "Yanked"), ("quarantined", "Quarantined")]
    )
    withdrawn_reason = models.CharField(max_length=1000, blank=True)
    withdrawn_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("application_id", "-precedence")
        constraints = [
            models.UniqueConstraint(fields=["application", "version"], name="release_version_unique"),
            models.UniqueConstraint(fields=["application", "precedence"], name="release_precedence_unique"),
            models.CheckConstraint(
                condition=Q(withdrawn__in=("", "yanked", "quarantined")), name="release_withdrawn_known"
            ),
        ]
        indexes = [models.Index(fields=["application", "-published_at"], name="release_newest")]

    def __str__(self) -> str:
        return f"{self.application} {self.version}"


class Artifact(models.Model):
    """The bytes of a release: immutable, addressed by digest."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="artifacts")
    name = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)
    """SHA-256, hexadecimal."""
    size = models.BigIntegerField()
    """Bytes."""
    path = models.CharField(max_length=255)
    """Below the artifact storage."""
    removed_at = models.DateTimeField(null=True)
    """When retention took the bytes away; the row stays."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["release", "digest"], name="artifact_unique")]
        indexes = [models.Index(fields=["digest"], name="artifact_digest")]

    def __str__(self) -> str:
        return f"sha256:{self.digest}"


class Change(models.Model):
    """One item of what changed since the release before."""

    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="changes")
    position = models.PositiveIntegerField()
    title = models.CharField(max_length=300)
    kind = models.CharField(max_length=32, blank=True)
    ticket = models.CharField(max_length=64, blank=True)
    author = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ("release", "position")
        constraints = [models.UniqueConstraint(fields=["release", "position"], name="change_position_unique")]

    def __str__(self) -> str:
        return self.title
