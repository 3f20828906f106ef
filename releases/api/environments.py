"""What environments serve, and the way back."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from phases import actions as places
from phases.models import Environment
from phases.serializers import EditEnvironment
from releases import actions, queries
from releases.api import serializers as shapes
from releases.api.promotions import promotion_shown
from releases.models import Promotion
from relman.api import View
from relman.schema import made


class OneEnvironment(View):
    """One application in one phase."""

    @extend_schema(responses=shapes.EnvironmentShown)
    def get(self, request: Request, application: str, phase: str) -> Response:
        """What is live there, since when, and how it is. Nulls when nothing is live."""
        environment = queries.get_environment(self.actor, application, phase)
        return Response(shapes.EnvironmentShown(environment_shown(environment, queries.live_of(environment))).data)

    @extend_schema(request=EditEnvironment, responses=shapes.EnvironmentShown)
    def patch(self, request: Request, application: str, phase: str) -> Response:
        """Change size and settings; the next promotion uses them. Needs the right to configure there."""
        environment = queries.get_environment(self.actor, application, phase)
        places.edit_environment(environment, actor=self.actor, **self.read(EditEnvironment))
        return Response(shapes.EnvironmentShown(environment_shown(environment, queries.live_of(environment))).data)


class RollBack(View):
    """The way back."""

    @extend_schema(
        request=shapes.Rollback, responses={201: made(shapes.PromotionInFull, "The promotion that goes back.")}
    )
    def post(self, request: Request, application: str, phase: str) -> Response:
        """Roll back to the release before, or to `version`; it must have succeeded there."""
        environment = queries.get_environment(self.actor, application, phase)
        said = self.read(shapes.Rollback)
        version = said.pop("version", None)
        release = queries.get_release(self.actor, application, version) if version else None
        promotion = actions.roll_back(environment, actor=self.actor, release=release, **said)
        return Response(promotion_shown(promotion), status=201)


def environment_shown(environment: Environment, live: Promotion | None) -> dict[str, Any]:
    """An environment as the API shows it."""
    return {
        "application": environment.application.slug,
        "phase": environment.phase.slug,
        "version": live.release.version if live else None,
        "since": live.finished_at if live else None,
        "digest": f"sha256:{live.digest}" if live else None,
        "promotion": live.pk if live else None,
        "address": f"http://{environment.host}:{settings.GATEWAY_PORT}/",
        "public": environment.phase.public,
        "health": environment.health if live else "unknown",
        "health_detail": environment.health_detail,
        "health_at": environment.health_at,
        "driver": environment.driver,
        "instances": environment.instances,
        "memory": environment.memory,
        "cpu": environment.cpu,
    }
