"""How the API shows the queue and a maintenance, and what it takes."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from relman.api import Body


class InFront(serializers.Serializer[Any]):
    """A promotion that comes first. Of one that you may not see there is only `text`."""

    promotion = serializers.IntegerField(allow_null=True)
    application = serializers.CharField(source="application.slug", allow_null=True, default=None)
    version = serializers.CharField(allow_null=True)
    phase = serializers.CharField(source="phase.slug", allow_null=True, default=None)
    status = serializers.CharField(allow_blank=True)
    text = serializers.CharField()


class QueueShown(serializers.Serializer[Any]):
    """Where it stands: its place of `length`, null while its gates hold it; what is in front; when it should start."""

    position = serializers.IntegerField(allow_null=True)
    length = serializers.IntegerField(help_text="How many are queued")
    in_front = InFront(many=True)
    more = serializers.IntegerField(help_text="How many in front are not named")
    estimate = serializers.FloatField(allow_null=True, help_text="Seconds until it starts; null: no estimate yet")
    text = serializers.CharField()


class NewMaintenance(Body):
    """`on`: whether nothing may start from now on; its beginning needs a reason, which everybody reads."""

    on = serializers.BooleanField()
    reason = serializers.CharField(max_length=1000, required=False, allow_blank=True)


class MaintenanceShown(serializers.Serializer[Any]):
    """Whether anything may start, what still runs, and whether it is safe to stop RelMan's processes."""

    on = serializers.SerializerMethodField()
    since = serializers.DateTimeField(source="held.since", allow_null=True, default=None)
    by = serializers.CharField(source="held.by", allow_null=True, default=None)
    reason = serializers.CharField(source="held.reason", allow_null=True, default=None)
    running = InFront(many=True)
    queued = serializers.IntegerField()
    safe_to_stop = serializers.BooleanField(source="safe")
    text = serializers.CharField()

    def get_on(self, state: Any) -> bool:
        """Whether it is on."""
        return state.held is not None
