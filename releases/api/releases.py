"""Releases: publish, list, read, take back; and what-if questions."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from phases import permissions
from releases import actions, queries, uploads
from releases.api import serializers as shapes
from releases.models import Release
from releases.queries.holds import holds_in
from relman.actors import Actor
from relman.api import View, one_of, text
from relman.errors import Invalid
from relman.schema import made, page_of


class Releases(View):
    """The releases of one application."""

    filters = {"version": text, "channel": text, "state": one_of("published", "yanked", "quarantined")}
    paged = True
    parser_classes = [MultiPartParser]

    def before(self, request: Request, **kwargs: Any) -> None:
        """Who may not publish is told so before a byte of the artifact is read."""
        self.application = queries.get_application(self.actor, kwargs["slug"])
        if request.method == "POST":
            first = permissions.first_phase(self.application.pipeline)
            permissions.require_as_member(self.actor, "publish", first, self.application)
            uploads.guard(request._request)

    @extend_schema(responses=page_of(shapes.ReleaseShown))
    def get(self, request: Request, slug: str) -> Response:
        """List releases, newest first."""
        wanted = {name: value for name, value in self.asked.items() if name in ("version", "channel")}
        if "state" in self.asked:
            wanted["withdrawn"] = self.asked["state"].replace("published", "")
        rows = in_full(queries.visible_releases(self.actor).filter(application=self.application, **wanted))
        return self.page(rows, "-id", lambda row: shapes.ReleaseShown(row).data)

    @extend_schema(
        request=shapes.NewRelease,
        responses={
            201: made(shapes.ReleaseInFull, "Published. Nothing runs yet."),
            200: made(shapes.ReleaseInFull, "The same version with the same artifact was published before."),
        },
    )
    def post(self, request: Request, slug: str) -> Response:
        """Publish a release. The same version with another artifact is a conflict (409)."""
        said = self.read(shapes.NewRelease)
        release, new = actions.publish_release(
            self.application, actor=self.actor, staged=staged_of(said.pop("artifact")), **said
        )
        return Response(release_shown(release, self.actor), status=201 if new else 200)


class OneRelease(View):
    """One release."""

    @extend_schema(responses=shapes.ReleaseInFull)
    def get(self, request: Request, slug: str, version: str) -> Response:
        """Read a release, with its changes and its manifest."""
        return Response(release_shown(queries.get_release(self.actor, slug, version), self.actor))


class Yank(View):
    """Stop new promotions of a release."""

    @extend_schema(request=shapes.Reason, responses=shapes.ReleaseInFull)
    def post(self, request: Request, slug: str, version: str) -> Response:
        """Yank: no new promotions. Needs the right to roll back in the last phase."""
        release = queries.get_release(self.actor, slug, version)
        actions.yank(release, actor=self.actor, **self.read(shapes.Reason))
        return Response(release_shown(release, self.actor))


class Quarantine(View):
    """Stop a release wherever it has not started."""

    @extend_schema(request=shapes.Reason, responses=shapes.ReleaseInFull)
    def post(self, request: Request, slug: str, version: str) -> Response:
        """Quarantine: as yank, and what waits or is queued is cancelled."""
        release = queries.get_release(self.actor, slug, version)
        actions.quarantine(release, actor=self.actor, **self.read(shapes.Reason))
        return Response(release_shown(release, self.actor))


class LiftHold(View):
    """After a rollback."""

    @extend_schema(request=shapes.Comment, responses=shapes.ReleaseInFull)
    def post(self, request: Request, slug: str, version: str, phase: str) -> Response:
        """Lift the hold that a rollback put on this release in a phase. Needs the right to promote there."""
        release = queries.get_release(self.actor, slug, version)
        place = queries.get_environment(self.actor, slug, phase).phase
        actions.lift_hold(release, phase=place, actor=self.actor, **self.read(shapes.Comment))
        return Response(release_shown(release, self.actor))


class Offers(View):
    """What if?"""

    filters = {"phase": text}

    @extend_schema(responses=shapes.OfferShown)
    def get(self, request: Request, slug: str, version: str) -> Response:
        """What would happen if this release were promoted into `phase` now? Nothing is changed."""
        release = queries.get_release(self.actor, slug, version)
        if "phase" not in self.asked:
            raise Invalid("Name the phase.", fields={"phase": ["Say which phase: ?phase=live"]})
        environment = queries.get_environment(self.actor, slug, self.asked["phase"])
        offer = queries.preview(release, environment, actor=self.actor)
        where = {"application": slug, "version": version, "phase": environment.phase.slug}
        found = {name: getattr(offer, name) for name in ("allowed", "kind", "reason", "verdicts")}
        found["way_back"] = queries.way_back(environment, release)
        return Response(shapes.OfferShown({**where, **found}).data)


def staged_of(upload: Any) -> Any:
    """The staged file of an upload."""
    return upload.staged


def in_full(rows: QuerySet[Release]) -> QuerySet[Release]:
    """With all that the shapes show, in a fixed number of queries."""
    return rows.select_related("application", "published_by").prefetch_related("artifacts", "changes")


def release_shown(release: Release, actor: Actor) -> Any:
    """A release as the API shows it, with its holds where the actor sees."""
    seen = permissions.visible_environments(actor).filter(application=release.application_id)
    return shapes.ReleaseInFull(release, context={"holds": holds_in(release, seen)}).data
