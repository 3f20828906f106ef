"""What environments serve, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
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
from releases.api.way_back import RehearsalShown
from releases.models import Promotion
from releases.queries.dialogs import rollback_dialog
from releases.queries.rehearsals import rehearsal_of
from releases.queries.way_back import way_back
from relman.api import View, text
from relman.errors import NotFound
from relman.schema import made, page_of


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

    filters = {"version": text}

    @extend_schema(responses=shapes.RollbackShown)
    def get(self, request: Request, application: str, phase: str) -> Response:
        """What a rollback (to `version`, or to the release before) would do; nothing is changed."""
        environment = queries.get_environment(self.actor, application, phase)
        version = self.asked.get("version")
        release = queries.get_release(self.actor, application, version) if version else None
        offer = rollback_dialog(self.actor, environment, release).offer
        return Response(shapes.RollbackShown(offer).data)

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
        return Response(promotion_shown(promotion, self.actor), status=201)


class Drifted(View):
    """What a person does about drift."""

    def answer(self, application: str, phase: str, verb: Callable[..., Promotion]) -> Response:
        """Find, act, show."""
        environment = queries.get_environment(self.actor, application, phase)
        promotion = verb(environment, actor=self.actor, **self.read(shapes.Reason))
        return Response(promotion_shown(promotion, self.actor), status=201)


class Revert(Drifted):
    """Back to the record."""

    @extend_schema(
        request=shapes.Reason, responses={201: made(shapes.PromotionInFull, "The redeploy of what the record says.")}
    )
    def post(self, request: Request, application: str, phase: str) -> Response:
        """End drift by bringing what the record says once more. Without drift: 409."""
        return self.answer(application, phase, actions.revert)


class Adopt(Drifted):
    """What runs is the record."""

    @extend_schema(
        request=shapes.Reason,
        responses={201: made(shapes.PromotionInFull, "Of kind `adopt`: it starts nothing, and looks that it is so.")},
    )
    def post(self, request: Request, application: str, phase: str) -> Response:
        """Accept what runs as the record. 409 where there is no drift, or what runs is no known release."""
        return self.answer(application, phase, actions.adopt)


class Health(View):
    """How an environment was."""

    paged = True

    @extend_schema(responses=page_of(shapes.HealthShown))
    def get(self, request: Request, application: str, phase: str) -> Response:
        """List changes of health and restarts, newest first; the last 90 days, at most 1,000."""
        environment = queries.get_environment(self.actor, application, phase)
        return self.page(queries.health_changes(environment), "-id", lambda row: shapes.HealthShown(row).data)


class Rehearsal(View):
    """Practising the way back."""

    @extend_schema(responses=RehearsalShown)
    def get(self, request: Request, application: str, phase: str) -> Response:
        """The newest rehearsal there. 404 when there was none."""
        found = rehearsal_of(queries.get_environment(self.actor, application, phase))
        if found is None:
            raise NotFound(f"No rollback was rehearsed in {phase} yet.")
        return Response(RehearsalShown(found).data)

    @extend_schema(
        request=shapes.Comment,
        responses={201: made(RehearsalShown, "It goes back; `back` is its promotion.")},
    )
    def post(self, request: Request, application: str, phase: str) -> Response:
        """Rehearse a rollback, in any phase but the last: really back, then forward again. 409 with `problems`."""
        environment = queries.get_environment(self.actor, application, phase)
        actions.rehearse(environment, actor=self.actor, **self.read(shapes.Comment))
        return Response(RehearsalShown(rehearsal_of(environment)).data, status=201)


def environment_shown(environment: Environment, live: Promotion | None) -> dict[str, Any]:
    """An environment as the API shows it."""
    drift = queries.drift_shown(environment, live, may=False)
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
        "health_since": environment.health_since,
        "driver": environment.driver,
        "instances": environment.instances,
        "memory": environment.memory,
        "cpu": environment.cpu,
        "drift": _drift(drift) if drift else None,
        "way_back": way_back(environment),
    }


def _drift(found: queries.DriftShown) -> dict[str, Any]:
    digest = f"sha256:{found.digest}" if found.digest else None
    return {**asdict(found), "digest": digest, "adoptable": found.adoptable or None}
