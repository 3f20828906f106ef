"""What lets a signed-in person from RelMan onto an environment's own host."""

from __future__ import annotations

from django.db import models


class Pass(models.Model):
    """One way in, for one person, session and environment: first a one-time code, then the cookie it is given for.

    Only hashes are stored. It points at the session and is worth nothing without it.
    """

    environment = models.ForeignKey("phases.Environment", on_delete=models.CASCADE, related_name="passes")
    user = models.ForeignKey("phases.User", on_delete=models.CASCADE, related_name="passes")
    session_key = models.CharField(max_length=40, db_index=True)
    code_digest = models.CharField(max_length=64, unique=True)
    code_until = models.DateTimeField()
    cookie_digest = models.CharField(max_length=64, unique=True, null=True)  # noqa: DJ001 (unique, and many unset)
    """None until the code was used; a code is good once."""
    until = models.DateTimeField(db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "passes"

    def __str__(self) -> str:
        return f"{self.user} at {self.environment}"
