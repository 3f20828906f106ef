"""Roles, grants, approval rules, and the permission rows that are derived from them."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase


class Role(models.Model):
    """A named set of rights. What it may do is said for each phase."""

    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=100, unique=True)
    meaning = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class RoleRight(models.Model):
    """One box of the matrix: this role has this right in this phase."""

    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="rights")
    phase = models.ForeignKey("phases.Phase", on_delete=models.CASCADE, related_name="role_rights")
    right = models.CharField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["role", "phase", "right"], name="role_right_unique")]

    def __str__(self) -> str:
        return f"{self.role} may {self.right} in {self.phase}"


class Grant(models.Model):
    """A person or a group has a role in a phase, until a moment or without end. The truth about access."""

    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="grants")
    phase = models.ForeignKey("phases.Phase", on_delete=models.CASCADE, related_name="grants")
    user = models.ForeignKey(
        "phases.User", null=True, blank=True, on_delete=models.CASCADE, related_name="grants", verbose_name="person"
    )
    group = models.ForeignKey("auth.Group", null=True, blank=True, on_delete=models.CASCADE, related_name="grants")
    until = models.DateTimeField(null=True, blank=True, help_text="Counts for nothing from this moment on.")
    granted_by = models.ForeignKey("phases.User", null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("phase", "role", "id")
        constraints = [
            models.CheckConstraint(condition=Q(user__isnull=True) ^ Q(group__isnull=True), name="grant_for_one"),
            models.UniqueConstraint(
                fields=["role", "phase", "user"], condition=Q(group=None), name="grant_user_unique"
            ),
            models.UniqueConstraint(
                fields=["role", "phase", "group"], condition=Q(user=None), name="grant_group_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.group} is {self.role} in {self.phase}"


class PhaseUserPermission(UserObjectPermissionBase):
    """Derived from grants: guardian's row for one person, one right, one phase."""

    content_object = models.ForeignKey("phases.Phase", on_delete=models.CASCADE)
    until = models.DateTimeField(null=True)

    class Meta(UserObjectPermissionBase.Meta):
        abstract = False


class PhaseGroupPermission(GroupObjectPermissionBase):
    """Derived from grants: guardian's row for one group, one right, one phase."""

    content_object = models.ForeignKey("phases.Phase", on_delete=models.CASCADE)
    until = models.DateTimeField(null=True)

    class Meta(GroupObjectPermissionBase.Meta):
        abstract = False


class Rule(models.Model):
    """An approval that a promotion into the phase needs: so many people of one role."""

    phase = models.ForeignKey("phases.Phase", on_delete=models.CASCADE, related_name="rules")
    name = models.CharField(max_length=100)
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="rules")
    count = models.PositiveSmallIntegerField(
        default=1, validators=[MinValueValidator(1), MaxValueValidator(20)], help_text="How many people must approve."
    )
    allow_requester = models.BooleanField(default=False, help_text="Whoever asked for the promotion may count.")
    allow_author = models.BooleanField(default=False, help_text="The release's author may count.")
    deadline_hours = models.PositiveIntegerField(
        default=168, validators=[MinValueValidator(1)], help_text="A promotion nobody decided on expires after it."
    )

    class Meta:
        ordering = ("phase", "name")
        constraints = [models.UniqueConstraint(fields=["phase", "name"], name="rule_name_unique")]

    def __str__(self) -> str:
        return f"{self.name}: {self.count} × {self.role}"
