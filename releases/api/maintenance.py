"""Maintenance: whether anything may start, and when it is safe to stop."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from releases import actions, queries
from releases.api import queueing as shapes
from relman.api import View


class Maintenance(View):
    """Nothing starts, what runs finishes."""

    @extend_schema(responses=shapes.MaintenanceShown)
    def get(self, request: Request) -> Response:
        """Whether it is on, since when, by whom and why; what still runs, as far as you see it."""
        return self._shown()

    @extend_schema(request=shapes.NewMaintenance, responses=shapes.MaintenanceShown)
    def post(self, request: Request) -> Response:
        """Begin (`on`: true, with a reason) or end it. For administrators; 409 when it is so already."""
        said = self.read(shapes.NewMaintenance)
        if said["on"]:
            actions.begin_maintenance(actor=self.actor, reason=said.get("reason", ""))
        else:
            actions.end_maintenance(actor=self.actor)
        return self._shown()

    def _shown(self) -> Response:
        return Response(shapes.MaintenanceShown(queries.maintenance_state(self.actor)).data)
