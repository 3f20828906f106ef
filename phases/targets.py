"""An environment as drivers see it."""

from __future__ import annotations

from phases.drivers.base import Target
from phases.models import Environment


def target_of(environment: Environment) -> Target:
    """Where this environment is, in a driver's words."""
    return Target(
        environment=environment.pk,
        application=environment.application.slug,
        phase=environment.phase.slug,
        instances=environment.instances,
        settings=environment.settings,
    )
