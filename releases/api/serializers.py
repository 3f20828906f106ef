"""How the API shows releases and promotions, and what it takes."""

from __future__ import annotations

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from phases.serializers import Account
from releases.api.queueing import QueueShown
from releases.api.way_back import DifferenceShown, HoldShown, RollbackChoice, Unapproved, WayBackShown
from releases.models import Approval, Change, Promotion, Release, Step
from relman.api import Body

LONGEST_TEXT = 10_000
LONGEST_NOTES = 100_000
MOST_CHANGES = 1_000


class Digest(serializers.CharField):
    """A SHA-256, written sha256:<hex>."""

    def to_representation(self, value: str) -> str:
        """With its prefix."""
        return f"sha256:{value}"


class ChangeShown(serializers.ModelSerializer[Change]):
    """One item of what changed."""

    class Meta:
        model = Change
        fields = ["title", "kind", "ticket", "author"]


class ReleaseShown(serializers.ModelSerializer[Release]):
    """One version of one application."""

    application: Any = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    state = serializers.SerializerMethodField()
    published_by = Account(allow_null=True)
    artifact = serializers.SerializerMethodField()
    digest = serializers.SerializerMethodField()
    size = serializers.SerializerMethodField(help_text="Bytes")

    class Meta:
        model = Release
        fields = [
            "application", "version", "channel", "digest", "size", "artifact", "commit", "author", "notes",
            "published_by", "published_at", "state", "withdrawn_reason",
        ]  # fmt: skip

    def get_state(self, release: Release) -> str:
        """published, yanked or quarantined."""
        return release.withdrawn or "published"

    def get_digest(self, release: Release) -> str | None:
        """Of its artifact."""
        found = _artifact(release)
        return f"sha256:{found.digest}" if found else None

    def get_size(self, release: Release) -> int | None:
        """Of its artifact."""
        found = _artifact(release)
        return found.size if found else None

    def get_artifact(self, release: Release) -> str | None:
        """The file's name as it was uploaded."""
        found = _artifact(release)
        return found.name if found else None


class ReleaseInFull(ReleaseShown):
    """A release with its change items and its manifest."""

    changes = ChangeShown(many=True)
    manifest = serializers.DictField()
    holds: Any = serializers.SerializerMethodField()

    class Meta(ReleaseShown.Meta):
        fields = [*ReleaseShown.Meta.fields, "changes", "manifest", "holds"]

    def get_holds(self, release: Release) -> Any:
        """In which phases nothing brings it by itself."""
        return HoldShown(self.context.get("holds", ()), many=True).data


def _artifact(release: Release) -> Any:
    return next(iter(release.artifacts.all()), None)


class NewChange(Body):
    """One change item of a new release."""

    title = serializers.CharField(max_length=300)
    kind = serializers.CharField(max_length=32, required=False, allow_blank=True)
    ticket = serializers.CharField(max_length=64, required=False, allow_blank=True)
    author = serializers.CharField(max_length=150, required=False, allow_blank=True)


@extend_schema_field(serializers.CharField)
class Changes(serializers.Field[Any, Any, Any, Any]):
    """A JSON list of {title, kind, ticket, author}, as text in a form."""

    def to_internal_value(self, data: Any) -> list[dict[str, Any]]:
        """The items, checked."""
        if isinstance(data, str):
            try:
                data = json.loads(data or "[]", parse_constant=_no_constant)
            except (ValueError, RecursionError):
                raise serializers.ValidationError("This is not JSON.") from None
        if not isinstance(data, list) or len(data) > MOST_CHANGES:
            raise serializers.ValidationError(f"Send a list of at most {MOST_CHANGES} changes.")
        items = NewChange(data=data, many=True)
        items.is_valid(raise_exception=True)
        return [dict(item) for item in items.validated_data]

    def to_representation(self, value: Any) -> Any:
        """Never shown: it is input."""
        return value


def _no_constant(text: str) -> None:
    raise ValueError(text)


class NewRelease(Body):
    """A release: its version and its artifact (.tar.gz or .zip with a relman.toml at its root)."""

    version = serializers.CharField(max_length=128)
    artifact = serializers.FileField(max_length=255, allow_empty_file=True)
    notes = serializers.CharField(max_length=LONGEST_NOTES, required=False, allow_blank=True)
    commit = serializers.CharField(max_length=64, required=False, allow_blank=True)
    author = serializers.CharField(max_length=150, required=False, allow_blank=True)
    changes = Changes(required=False, help_text='JSON: [{"title": "…", "kind": "…", "ticket": "…", "author": "…"}]')


class VerdictShown(serializers.Serializer[Any]):
    """What one gate says."""

    gate = serializers.CharField()
    state = serializers.ChoiceField(choices=["passed", "waiting", "failed", "overridden"])
    reason = serializers.CharField()
    who = serializers.ListField(child=serializers.CharField(), help_text="Who can clear it")
    earliest = serializers.DateTimeField(allow_null=True)
    link = serializers.CharField()


class OfferShown(serializers.Serializer[Any]):
    """What would happen if this release were promoted there now."""

    application = serializers.CharField()
    version = serializers.CharField()
    phase = serializers.CharField()
    allowed = serializers.BooleanField()
    kind = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    verdicts = VerdictShown(many=True)
    way_back = WayBackShown(help_text="From this release, once it serves there")


class StepShown(serializers.ModelSerializer[Step]):
    """One step of a promotion."""

    class Meta:
        model = Step
        fields = [
            "number", "name", "kind", "when", "status", "detail", "attempts", "resume", "started_at", "finished_at",
        ]  # fmt: skip


class ApprovalShown(serializers.ModelSerializer[Approval]):
    """One person's decision. `voided_at`: it no longer counts, and `void_reason` says why."""

    person = Account()

    class Meta:
        model = Approval
        fields = ["person", "decision", "comment", "at", "voided_at", "void_reason"]


class PromotionShown(serializers.ModelSerializer[Promotion]):
    """One attempt to bring one release into one environment."""

    application = serializers.CharField(source="release.application.slug")
    version = serializers.CharField(source="release.version")
    phase = serializers.CharField(source="environment.phase.slug")
    digest = Digest()
    requested_by = Account(allow_null=True)
    replaces = serializers.CharField(source="replaces.version", allow_null=True, default=None)
    retry_of = serializers.IntegerField(source="retry_of_id", allow_null=True)
    superseded_by = serializers.IntegerField(source="superseded_by_id", allow_null=True)
    emergency_by = Account(allow_null=True)
    rolls_back = serializers.IntegerField(
        source="rolls_back_id", allow_null=True, help_text="The failed promotion that RelMan answers by itself"
    )

    class Meta:
        model = Promotion
        fields = [
            "id", "application", "version", "phase", "kind", "status", "reason", "comment", "digest", "seal",
            "replaces", "retry_of", "superseded_by", "rolls_back", "allow_lower", "accept_one_way", "requested_by",
            "requested_at", "not_before", "not_after", "approve_before", "queued_at", "started_at", "finished_at",
            "emergency_at", "emergency_by", "emergency_reason",
        ]  # fmt: skip


class PromotionInFull(PromotionShown):
    """A promotion with its steps, its gates' verdicts, its approvals and its place in the queue."""

    queue = QueueShown(allow_null=True)

    steps = StepShown(many=True, source="shown")
    verdicts = VerdictShown(many=True)
    approvals = ApprovalShown(many=True)
    rolled_back_by = serializers.IntegerField(
        allow_null=True, source="answered_by", help_text="RelMan's own rollback after it failed its verification"
    )

    class Meta(PromotionShown.Meta):
        fields = [*PromotionShown.Meta.fields, "queue", "steps", "verdicts", "approvals", "rolled_back_by"]


class NewPromotion(Body):
    """A request to bring a release into a phase."""

    application = serializers.CharField(max_length=63)
    version = serializers.CharField(max_length=128)
    phase = serializers.CharField(max_length=63)
    comment = serializers.CharField(max_length=LONGEST_TEXT, required=False, allow_blank=True)
    not_before = serializers.DateTimeField(required=False, allow_null=True)
    not_after = serializers.DateTimeField(required=False, allow_null=True)
    allow_lower = serializers.BooleanField(required=False)
    accept_one_way = serializers.BooleanField(
        required=False, help_text="A migration that cannot be undone, where the phase asks for a way back"
    )
    emergency = serializers.BooleanField(required=False, help_text="To the front of the queue; needs a reason")
    reason = serializers.CharField(max_length=1000, required=False, allow_blank=True)


class RollbackShown(serializers.Serializer[Any]):
    """What a rollback would do. `differences`: the configuration as it ran then against today's."""

    application = serializers.CharField(source="application.slug")
    phase = serializers.CharField(source="phase.slug")
    live = serializers.CharField(source="from_version", allow_null=True)
    version = serializers.CharField(source="chosen", allow_blank=True)
    choices = RollbackChoice(many=True, source="to")
    differences = DifferenceShown(many=True)
    verdicts = VerdictShown(many=True)
    allowed = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True)
    usual_seconds = serializers.FloatField(source="usual", allow_null=True)
    way_back = WayBackShown(source="back")
    unapproved = Unapproved(many=True)


class Comment(Body):
    """A word on it, if you like."""

    comment = serializers.CharField(max_length=LONGEST_TEXT, required=False, allow_blank=True)


class Approve(Comment):
    """`seal`: of the promotion as you saw it. If it has changed since, the answer is 409 and nothing is signed."""

    seal = serializers.CharField(max_length=64, required=False, allow_blank=True)


class Reject(Body):
    """A no needs its reason."""

    comment = serializers.CharField(max_length=LONGEST_TEXT)


class Resolve(Comment):
    """What is true at the target."""

    def get_fields(self) -> dict[str, Any]:
        """`as` is a word of Python."""
        return {"as": serializers.ChoiceField(choices=["done", "failed"]), **super().get_fields()}


class Rollback(Body):
    """To the release before, or to `version`; with the configuration it ran with (then) or today's."""

    version = serializers.CharField(max_length=128, required=False)
    reason = serializers.CharField(max_length=LONGEST_TEXT)
    configuration = serializers.ChoiceField(choices=["then", "today"], required=False)
    emergency = serializers.BooleanField(required=False, help_text="To the front of the queue, for this reason")


class Reason(Body):
    """Why."""

    reason = serializers.CharField(max_length=1000)


class LogLineShown(serializers.Serializer[Any]):
    """One line of a log. `n` grows; ask for more with ?after=n."""

    n = serializers.IntegerField(source="pk")
    step = serializers.IntegerField()
    at = serializers.DateTimeField()
    level = serializers.CharField()
    text = serializers.CharField()


class LogPage(serializers.Serializer[Any]):
    """Some lines, oldest first. `complete`: no more will come."""

    results = LogLineShown(many=True)
    next = serializers.CharField(allow_null=True)
    complete = serializers.BooleanField()


class DriftShown(serializers.Serializer[Any]):
    """Where what runs is not what the record says."""

    kind = serializers.ChoiceField(choices=["nothing", "version", "stranger", "files", "instances"])
    text = serializers.CharField(help_text="What was expected, what was seen")
    since = serializers.DateTimeField()
    version = serializers.CharField(allow_null=True, help_text="What answers there reports")
    digest = serializers.CharField(allow_null=True, help_text="sha256:<hex> of the files there, where they are known")
    running = serializers.IntegerField(help_text="Instances that run")
    changed = serializers.ListField(child=serializers.CharField(), help_text="Some files that were changed")
    adoptable = serializers.CharField(allow_null=True, help_text="The release that `adopt` would make the record")
    why_not = serializers.CharField(allow_blank=True, help_text="Why nothing can be adopted")


class HealthShown(serializers.Serializer[Any]):
    """One change of health; where `before` is the same, an instance ended by itself and was started again."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    before = serializers.CharField()
    health = serializers.CharField()
    detail = serializers.CharField(allow_blank=True)


class EnvironmentShown(serializers.Serializer[Any]):
    """What one environment serves. Nulls when nothing is live."""

    application = serializers.CharField()
    phase = serializers.CharField()
    version = serializers.CharField(allow_null=True)
    since = serializers.DateTimeField(allow_null=True)
    digest = serializers.CharField(allow_null=True, help_text="sha256:<hex>")
    promotion = serializers.IntegerField(allow_null=True)
    address = serializers.CharField()
    public = serializers.BooleanField()
    health = serializers.ChoiceField(choices=["healthy", "unhealthy", "unknown"])
    health_detail = serializers.CharField(allow_blank=True)
    health_at = serializers.DateTimeField(allow_null=True)
    health_since = serializers.DateTimeField(allow_null=True)
    driver = serializers.CharField()
    instances = serializers.IntegerField()
    memory = serializers.IntegerField(allow_null=True, help_text="MiB an instance")
    cpu = serializers.DecimalField(max_digits=5, decimal_places=2, allow_null=True, help_text="Cores an instance")
    drift = DriftShown(allow_null=True)
    way_back = WayBackShown()
