"""People, machines, and the tokens that act for them."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models


class User(AbstractUser):
    """A person or a machine with an account."""

    name = models.CharField("display name", max_length=150, blank=True)
    machine = models.BooleanField(default=False, help_text="An account that a program uses, such as CI.")
    theme = models.CharField(max_length=5, blank=True, choices=[("", "System"), ("light", "Light"), ("dark", "Dark")])
    time_zone = models.CharField(max_length=64, blank=True)
    shortcuts = models.BooleanField(default=True)

    @property
    def display(self) -> str:
        """The name that pages and the record use."""
        return self.name or self.get_full_name() or self.username

    def __str__(self) -> str:
        return self.display


class Token(models.Model):
    """A bearer token: only its SHA-256 is stored. Empty scopes mean: all that the owner may."""

    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    rights = ArrayField(models.CharField(max_length=32), default=list, blank=True)
    applications = models.ManyToManyField("phases.Application", blank=True, related_name="+")
    phases = models.ManyToManyField("phases.Phase", blank=True, related_name="+")
    limited_to_applications = models.BooleanField(default=False)
    """Stays true when the last application of the scope is deleted: an emptied scope is not a wide one."""
    limited_to_phases = models.BooleanField(default=False)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="children")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
