"""How the API shows where releases go and who may do what, and what it takes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from phases.models import Application, Environment, Phase, Pipeline, Token
from phases.permissions import RIGHTS
from relman.api import Body

SLUG = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"


class Slug(serializers.RegexField):
    """A word of an address: a DNS label."""

    def __init__(self, **options: Any) -> None:
        super().__init__(SLUG, max_length=63, **options)
        self.error_messages["invalid"] = (
            "Use lower-case letters, digits and dashes, at most 63, with a letter or digit at both ends."
        )


class Account(serializers.Serializer[Any]):
    """A person or a machine."""

    username = serializers.CharField()
    name = serializers.CharField(source="display")


class PhaseShown(serializers.ModelSerializer[Phase]):
    """One stop of a pipeline."""

    class Meta:
        model = Phase
        fields = [
            "slug",
            "name",
            "description",
            "position",
            "optional",
            "public",
            "in_order",
            "auto_rollback",
            "needs_way_back",
        ]


class PipelineShown(serializers.ModelSerializer[Pipeline]):
    """A pipeline with the phases that you see, in order."""

    phases = PhaseShown(many=True, source="seen")
    prereleases_until: Any = serializers.SlugRelatedField(slug_field="slug", read_only=True, source="prerelease_until")

    class Meta:
        model = Pipeline
        fields = ["slug", "name", "description", "prereleases_until", "phases"]


class ApplicationShown(serializers.ModelSerializer[Application]):
    """What is released."""

    pipeline: Any = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    owner = Account(allow_null=True)

    class Meta:
        model = Application
        fields = [
            "slug", "name", "description", "pipeline", "repository", "ticket_url", "version_scheme", "owner",
            "created_at",
        ]  # fmt: skip


class PhaseEdited(Body):
    """What to change of a phase. `auto_rollback`: go back without asking when a verification fails. `needs_way_back`:
    nothing comes unless a rollback from it is ready, or somebody who may roll back accepts that it is not."""

    name = serializers.CharField(max_length=100, required=False)
    description = serializers.CharField(max_length=300, required=False, allow_blank=True)
    optional = serializers.BooleanField(required=False)
    public = serializers.BooleanField(required=False)
    in_order = serializers.BooleanField(required=False)
    auto_rollback = serializers.BooleanField(required=False)
    needs_way_back = serializers.BooleanField(required=False)


class NewPhase(PhaseEdited):
    """One phase of a new pipeline."""

    slug = Slug()


class NewPipeline(Body):
    """A pipeline: from a template, or with phases of its own, in their order."""

    slug = Slug()
    name = serializers.CharField(max_length=100, required=False)
    description = serializers.CharField(max_length=300, required=False, allow_blank=True)
    template = serializers.CharField(max_length=63, required=False)
    phases = NewPhase(many=True, required=False)


class EditPipeline(Body):
    """What changes about a pipeline; what is not named stays as it is."""

    name = serializers.CharField(max_length=100, required=False)
    description = serializers.CharField(max_length=300, required=False, allow_blank=True)
    prereleases_until = serializers.CharField(
        max_length=63, required=False, allow_null=True, help_text="The last phase that takes pre-releases; null: all do"
    )


class EditApplication(Body):
    """What changes about an application; what is not named stays as it is."""

    name = serializers.CharField(max_length=100, required=False)
    description = serializers.CharField(max_length=300, required=False, allow_blank=True)
    repository = serializers.URLField(required=False, allow_blank=True)
    ticket_url = serializers.CharField(
        max_length=300, required=False, allow_blank=True, help_text="Where tickets are, with {ticket} for their name"
    )
    owner = serializers.CharField(
        max_length=150, required=False, help_text="User name of somebody who sees the pipeline"
    )


class EditEnvironment(Body):
    """What changes about an environment; what is not named stays as it is. The driver always does."""

    settings = serializers.DictField(required=False, help_text="All of them: they replace today's")
    instances = serializers.IntegerField(min_value=1, max_value=12, required=False)
    memory = serializers.IntegerField(min_value=1, max_value=2_000_000_000, required=False, help_text="MiB an instance")
    cpu = serializers.DecimalField(max_digits=5, decimal_places=2, required=False, help_text="Cores an instance")


class NewApplication(Body):
    """An application on a pipeline."""

    slug = Slug()
    name = serializers.CharField(max_length=100, required=False)
    pipeline = serializers.CharField(max_length=63)
    description = serializers.CharField(max_length=300, required=False, allow_blank=True)
    repository = serializers.URLField(required=False, allow_blank=True)
    ticket_url = serializers.CharField(max_length=300, required=False, allow_blank=True)


class NewEnvironment(Body):
    """One application in one phase, and its target."""

    application = serializers.CharField(max_length=63)
    phase = serializers.CharField(max_length=63)
    driver = serializers.CharField(max_length=32, required=False)
    settings = serializers.DictField(required=False)
    instances = serializers.IntegerField(min_value=1, max_value=12, required=False)
    memory = serializers.IntegerField(min_value=1, max_value=2_000_000_000, required=False, help_text="MiB an instance")
    cpu = serializers.DecimalField(max_digits=5, decimal_places=2, required=False, help_text="Cores an instance")


class EnvironmentMade(serializers.ModelSerializer[Environment]):
    """An environment as it is set up."""

    application: Any = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    phase: Any = serializers.SlugRelatedField(slug_field="slug", read_only=True)

    class Meta:
        model = Environment
        fields = ["application", "phase", "driver", "instances", "memory", "cpu", "host"]


class Value(serializers.Serializer[Any]):
    """One configuration value. A secret is never shown."""

    key = serializers.CharField()
    value = serializers.SerializerMethodField()
    secret = serializers.BooleanField()
    version = serializers.IntegerField()
    updated_at = serializers.DateTimeField()
    updated_by = Account(allow_null=True)

    def get_value(self, variable: Any) -> str | None:
        """The text, or null for a secret."""
        return None if variable.secret else variable.value


class Configuration(serializers.Serializer[Any]):
    """All values of one environment."""

    application = serializers.CharField()
    phase = serializers.CharField()
    values = Value(many=True)


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": True,
        "example": {"GREETING": "Hello", "OLD": None, "API_KEY": {"secret": "a new value"}},
    }
)
class Values(serializers.Field[Any, Any, Any, Any]):
    """Values by key, or a list of them as GET shows it."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """As a mapping."""
        if isinstance(data, list):
            if any(not isinstance(one, dict) or not isinstance(one.get("key"), str) for one in data):
                raise serializers.ValidationError("Each item of a list needs its key.")
            return {one["key"]: {name: one[name] for name in ("value", "secret") if name in one} for one in data}
        if not isinstance(data, dict):
            raise serializers.ValidationError("Send values by key.")
        return data

    def to_representation(self, value: Any) -> Any:
        """Never shown: it is input."""
        return value


class SetConfiguration(Body):
    """`values`: key → text, null (take it away), or {"secret": text}. What is not named stays as it is. The keys may
    also stand alone, without `values` around them."""

    values = Values()

    def to_internal_value(self, data: Any) -> Any:
        """The keys alone are the values: nothing else can be meant."""
        bare = isinstance(data, dict) and data and "values" not in data
        return super().to_internal_value({"values": data} if bare else data)


class Finding(serializers.Serializer[Any]):
    """One thing that was looked at."""

    name = serializers.CharField()
    ok = serializers.BooleanField()
    sentence = serializers.CharField()


class Findings(serializers.Serializer[Any]):
    """Whether one could deploy there."""

    ready = serializers.BooleanField()
    findings = Finding(many=True)


class Locking(Body):
    """Why, and until when; without `until` somebody unlocks it."""

    reason = serializers.CharField(max_length=300)
    until = serializers.DateTimeField(required=False, allow_null=True)


class LockShown(serializers.Serializer[Any]):
    """A lock, set or released."""

    reason = serializers.CharField()
    by = Account(allow_null=True)
    at = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)
    released_at = serializers.DateTimeField(allow_null=True)
    released_by = Account(allow_null=True)


class TokenShown(serializers.ModelSerializer[Token]):
    """A token without its text."""

    applications: Any = serializers.SlugRelatedField(many=True, slug_field="slug", read_only=True)
    phases = serializers.SerializerMethodField()

    class Meta:
        model = Token
        fields = [
            "id", "name", "prefix", "rights", "applications", "phases", "created_at", "expires_at", "last_used_at",
        ]  # fmt: skip

    def get_phases(self, token: Token) -> list[str]:
        """Each as pipeline/phase."""
        return [f"{phase.pipeline.slug}/{phase.slug}" for phase in token.phases.all()]


class TokenMade(TokenShown):
    """A new token: its text is shown this once."""

    token = serializers.SerializerMethodField()

    class Meta(TokenShown.Meta):
        fields = [*TokenShown.Meta.fields, "token"]

    def get_token(self, token: Token) -> str:
        """The text to send."""
        return str(self.context["text"])


class NewToken(Body):
    """A token for yourself: never more than you, or the token that asks, may do. Left out means: all of that."""

    name = serializers.CharField(max_length=100)
    rights = serializers.ListField(child=serializers.ChoiceField(choices=sorted(RIGHTS)), required=False)
    applications = serializers.ListField(child=serializers.CharField(max_length=63), required=False)
    phases = serializers.ListField(
        child=serializers.CharField(max_length=127), required=False, help_text="Each as pipeline/phase"
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class RightsHere(serializers.Serializer[Any]):
    """What you may do in one phase."""

    pipeline = serializers.CharField()
    phase = serializers.CharField()
    name = serializers.CharField()
    rights = serializers.ListField(child=serializers.CharField())


class Me(serializers.Serializer[Any]):
    """Who asks, with which token, and what they may do where."""

    username = serializers.CharField()
    name = serializers.CharField()
    machine = serializers.BooleanField()
    administrator = serializers.BooleanField()
    token = TokenShown(allow_null=True)
    applications = serializers.ListField(child=serializers.CharField())
    rights = RightsHere(many=True)
