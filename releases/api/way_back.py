"""How the API shows ways back: holds, rehearsals, readiness."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from phases.serializers import Account
from releases.models import Rehearsal


class HoldShown(serializers.Serializer[Any]):
    """Where nothing brings a release by itself: a rollback left it there, and nobody has lifted that yet."""

    phase = serializers.CharField(source="environment.phase.slug")
    reason = serializers.CharField()
    by = Account(allow_null=True)
    since = serializers.DateTimeField(source="at")
    rollback = serializers.IntegerField(source="rollback_id", help_text="The promotion that left it")


class RehearsalShown(serializers.ModelSerializer[Rehearsal]):
    """A rollback that was practised. `state`: back, forth, then passed, failed or stopped."""

    application = serializers.CharField(source="environment.application.slug")
    phase = serializers.CharField(source="environment.phase.slug")
    leaves = serializers.CharField(source="leaves.version")
    to = serializers.CharField(source="to.version")
    back = serializers.IntegerField(source="back_id", help_text="The promotion that goes back")
    forth = serializers.IntegerField(source="forth_id", allow_null=True, help_text="The one that goes forward again")
    seconds = serializers.FloatField(allow_null=True, help_text="How long the way back took")
    requested_by = Account(allow_null=True)

    class Meta:
        model = Rehearsal
        fields = [
            "id", "application", "phase", "leaves", "to", "state", "reason", "back", "forth", "seconds", "requested_by",
            "requested_at", "finished_at",
        ]  # fmt: skip


class LastRehearsal(serializers.Serializer[Any]):
    """The newest rehearsal up to this phase. `pair`: of exactly these two releases."""

    phase = serializers.CharField(source="phase.slug")
    leaves = serializers.CharField()
    to = serializers.CharField()
    state = serializers.CharField()
    at = serializers.DateTimeField()
    seconds = serializers.FloatField(allow_null=True, help_text="How long the way back took")
    pair = serializers.BooleanField()
    reason = serializers.CharField()


class WayBackShown(serializers.Serializer[Any]):
    """Where a rollback would lead from what is live, and what speaks against it."""

    version = serializers.CharField(source="release.version", allow_null=True, default=None)
    ready = serializers.BooleanField()
    sentence = serializers.CharField()
    problems = serializers.ListField(child=serializers.CharField())
    usual_seconds = serializers.FloatField(source="usual", allow_null=True)
    rehearsal = LastRehearsal(allow_null=True)


class DifferenceShown(serializers.Serializer[Any]):
    """One key: as it was then, and as it is today. Secrets are named by version."""

    key = serializers.CharField()
    then = serializers.CharField(source="before", allow_null=True)
    today = serializers.CharField(source="after", allow_null=True)
    secret = serializers.BooleanField()


class Unapproved(serializers.Serializer[Any]):
    """One key that today's configuration would bring without the phase's approvals: as it runs now, and as it would."""

    key = serializers.CharField()
    live = serializers.CharField(source="before", allow_null=True)
    today = serializers.CharField(source="after", allow_null=True)
    secret = serializers.BooleanField()


class RollbackChoice(serializers.Serializer[Any]):
    """A release that one can go back to."""

    version = serializers.CharField()
    at = serializers.DateTimeField()
