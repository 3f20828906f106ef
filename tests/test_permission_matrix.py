"""Every address and every verb of the API, for everybody: the answer that each gets, in one table.

A new address, or a new method of one, fails here until it has a row. 404 is an outsider's answer and that of who
does not see the phase, 403 that of a member without the right, 409 and 422 say no to somebody who might.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.db.models.functions import Now
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from phases import actions as places
from phases import gateway, tokens
from phases.drivers.base import Observation
from phases.gateway import probe
from phases.models import Environment
from releases import actions, queries, reality
from releases.engine import health
from releases.models import Promotion
from relman.actors import Actor
from tests import factories
from tests.pages.conftest import built  # noqa: F401 - a fixture
from tests.pages.world import World

PEOPLE = (
    "anonymous", "outsider", "developer", "qa-engineer", "stakeholder", "business-owner", "devops", "release-manager",
    "ci-robot", "admin",
)  # fmt: skip
TABLE = """
                                   none  out  dev   qa  sta  bus  ops  man  bot  adm
home                       GET      302  302  302  302  302  302  302  302  302  302
favicon                    GET      302  302  302  302  302  302  302  302  302  302
signin                     GET      200  302  302  302  302  302  302  302  302  302
signin                     POST     302  302  302  302  302  302  302  302  302  302
signout                    POST     302  302  302  302  302  302  302  302  302  302
me                         GET      302  200  200  200  200  200  200  200  200  200
me                         POST     302  302  302  302  302  302  302  302  302  302
theme                      POST     302  302  302  302  302  302  302  302  302  302
help                       GET      302  200  200  200  200  200  200  200  200  200
more                       GET      302  200  200  200  200  200  200  200  200  200
search                     GET      302  200  200  200  200  200  200  200  200  200
events                     GET      401  200  200  200  200  200  200  200  200  200
board                      GET      302  200  200  200  200  200  200  200  200  200
board-waiting              GET      302  200  200  200  200  200  200  200  200  200
board-export               GET      302  200  200  200  200  200  200  200  200  200
board-row                  GET      302  404  200  200  200  200  200  200  200  200
approvals                  GET      302  200  200  200  200  200  200  200  200  200
approvals-count            GET      302  200  200  200  200  200  200  200  200  200
approve                    GET      302  404  200  200  200  200  200  200  200  200
approve                    POST     302  404  403  302  403  302  403  403  403  403
approve-confirm            GET      302  404  200  200  200  200  200  200  200  200
applications               GET      302  200  200  200  200  200  200  200  200  200
application                GET      302  404  200  200  200  200  200  200  200  200
application-new            GET      302  403  403  403  403  403  403  403  403  200
application-new            POST     302  403  403  403  403  403  403  403  403  302
application-edit           GET      302  404  403  403  403  403  200  403  403  200
application-edit           POST     302  404  403  403  403  403  302  403  403  302
application-configuration  GET      302  404  200  200  200  200  200  200  200  200
application-settings       GET      302  404  200  200  200  200  200  200  200  200
application-releases       GET      302  404  200  200  200  200  200  200  200  200
releases-new               GET      302  200  200  200  200  200  200  200  200  200
release-new                GET      302  404  200  403  403  403  403  200  200  403
release-new                POST     302  404  302  403  403  403  403  302  302  403
release-new-manifest       GET      302  404  302  403  403  403  403  302  302  403
release-new-manifest       POST     302  404  200  403  403  403  403  200  200  403
release                    GET      302  404  200  200  200  200  200  200  200  200
release-yank               GET      302  404  403  403  403  403  200  200  403  403
release-yank               POST     302  404  403  403  403  403  302  302  403  403
release-quarantine         GET      302  404  403  403  403  403  200  200  403  403
release-quarantine         POST     302  404  403  403  403  403  302  302  403  403
release-hold-lift          GET      302  404  403  200  403  403  403  200  403  403
release-hold-lift          POST     302  404  403  302  403  403  403  302  403  403
compare-choose             GET      302  404  302  302  302  302  302  302  302  302
compare                    GET      302  404  200  200  200  200  200  200  200  200
environment                GET      302  404  200  200  200  200  200  200  200  200
environment-new            GET      302  404  403  403  404  403  200  403  403  403
environment-new            POST     302  404  403  403  404  403  409  403  403  403
environment-edit           GET      302  404  403  403  403  403  200  403  403  403
environment-edit           POST     302  404  403  403  403  403  302  403  403  403
environment-remove         GET      302  404  403  403  404  403  200  403  403  403
environment-remove         POST     302  404  403  403  404  403  409  403  403  403
environment-check          GET      302  404  403  403  403  403  200  403  403  403
environment-check          POST     302  404  403  403  403  403  302  403  403  403
environment-configuration  GET      302  404  200  200  200  200  200  200  200  200
environment-configuration  POST     302  404  403  403  403  403  302  403  403  403
environment-key            GET      302  404  403  403  404  403  200  403  403  403
environment-key            POST     302  404  403  403  404  403  302  403  403  403
environment-key-remove     GET      302  404  403  403  404  403  200  403  403  403
environment-key-remove     POST     302  404  403  403  404  403  302  403  403  403
environment-promote        GET      302  404  403  403  403  403  403  200  403  403
environment-promote        POST     302  404  403  403  403  403  403  302  403  403
environment-rollback       GET      302  404  403  403  403  403  200  200  403  403
environment-rollback       POST     302  404  403  403  403  403  302  302  403  403
environment-revert         GET      302  404  403  403  403  403  200  200  403  403
environment-revert         POST     302  404  403  403  403  403  302  302  403  403
environment-adopt          GET      302  404  403  403  403  403  200  200  403  403
environment-adopt          POST     302  404  403  403  403  403  302  302  403  403
environment-rehearse       GET      302  404  403  403  403  403  403  200  403  403
environment-rehearse       POST     302  404  403  403  403  403  403  302  403  403
environment-lock           GET      302  404  403  403  403  403  200  200  403  403
environment-lock           POST     302  404  403  403  403  403  302  302  403  403
environment-unlock         GET      302  404  403  403  403  403  200  200  403  403
environment-unlock         POST     302  404  403  403  403  403  302  302  403  403
component-new              GET      302  404  403  403  403  403  200  403  403  403
component-new              POST     302  404  403  403  403  403  302  403  403  403
component-remove           GET      302  404  403  403  403  403  200  403  403  403
component-remove           POST     302  404  403  403  403  403  302  403  403  403
promotion                  GET      302  404  200  200  200  200  200  200  200  200
promotion-progress         GET      302  404  200  200  200  200  200  200  200  200
promotion-log              GET      302  404  200  200  200  200  200  200  200  200
promotion-log-file         GET      302  404  200  200  200  200  200  200  200  200
promotion-report           GET      302  404  200  200  200  200  200  200  200  200
promotion-report-json      GET      302  404  200  200  200  200  200  200  200  200
promotion-cancel           GET      302  404  200  200  200  200  200  200  200  200
promotion-cancel           POST     302  404  403  403  403  403  403  302  403  403
promotion-abort            GET      302  404  200  200  200  200  200  200  200  200
promotion-abort            POST     302  404  403  403  403  403  403  302  403  403
promotion-retry            GET      302  404  200  200  200  200  200  200  200  200
promotion-retry            POST     302  404  403  403  403  403  403  302  403  403
promotion-resolve          GET      302  404  200  200  200  200  200  200  200  200
promotion-resolve          POST     302  404  403  403  403  403  302  302  403  403
promotion-reject           GET      302  404  200  200  200  200  200  200  200  200
promotion-reject           POST     302  404  403  302  403  302  403  403  403  403
promotion-expedite         GET      302  404  200  200  200  200  200  200  200  200
promotion-expedite         POST     302  404  403  403  403  403  403  302  403  403
maintenance                GET      302  200  200  200  200  200  200  200  200  200
maintenance                POST     302  403  403  403  403  403  403  403  403  302
maintenance-status         GET      302  200  200  200  200  200  200  200  200  200
maintenance-banner         GET      302  200  200  200  200  200  200  200  200  200
pipeline                   GET      302  404  200  200  200  200  200  200  200  200
pipeline                   POST     302  404  403  403  403  403  302  403  403  302
pipeline-new               GET      302  403  403  403  403  403  403  403  403  200
pipeline-new               POST     302  403  403  403  403  403  403  403  403  302
pipeline-edit              GET      302  404  403  403  403  403  200  403  403  200
pipeline-edit              POST     302  404  403  403  403  403  302  403  403  302
phase                      GET      302  404  200  200  200  200  200  200  200  200
phase-new                  GET      302  404  403  403  403  403  200  403  403  200
phase-new                  POST     302  404  403  403  403  403  302  403  403  302
phase-edit                 GET      302  404  403  403  403  403  200  403  403  200
phase-edit                 POST     302  404  403  403  403  403  302  403  403  302
phase-lock                 GET      302  404  403  403  403  403  200  200  403  403
phase-lock                 POST     302  404  403  403  403  403  302  302  403  403
phase-unlock               GET      302  404  403  403  403  403  200  200  403  403
phase-unlock               POST     302  404  403  403  403  403  302  302  403  403
phase-remove               GET      302  404  403  403  403  403  200  403  403  200
phase-remove               POST     302  404  403  403  403  403  409  403  403  409
audit                      GET      302  200  200  200  200  200  200  200  200  200
audit                      POST     302  200  200  200  200  200  200  200  200  200
audit-export               GET      302  200  200  200  200  200  200  200  200  200
admin-signin               GET      302  302  302  302  302  302  302  302  302  302
gate-verify                GET      401  404  403  204  204  204  204  204  403  403
gate-begin                 GET      302  404  403  302  302  302  302  302  403  403
gate-enter                 GET      403  403  403  403  403  403  403  403  403  403
api-docs                   GET      200  200  200  200  200  200  200  200  200  200
api-schema                 GET      200  200  200  200  200  200  200  200  200  200
api-me                     GET      401  200  200  200  200  200  200  200  200  200
api-tokens                 GET      401  200  200  200  200  200  200  200  200  200
api-tokens                 POST     401  201  201  201  201  201  201  201  201  201
api-token                  DELETE   401  204  204  204  204  204  204  204  204  204
api-pipelines              GET      401  200  200  200  200  200  200  200  200  200
api-pipelines              POST     401  403  403  403  403  403  403  403  403  201
api-pipeline               GET      401  404  200  200  200  200  200  200  200  200
api-pipeline               PATCH    401  404  403  403  403  403  200  403  403  200
api-phase                  GET      401  404  200  200  200  200  200  200  200  200
api-phase                  PATCH    401  404  403  403  403  403  200  403  403  403
api-phase-lock             POST     401  404  403  403  403  403  201  201  403  403
api-phase-unlock           POST     401  404  403  403  403  403  200  200  403  403
api-applications           GET      401  200  200  200  200  200  200  200  200  200
api-applications           POST     401  404  403  403  403  403  403  403  403  201
api-application            GET      401  404  200  200  200  200  200  200  200  200
api-application            PATCH    401  404  403  403  403  403  200  403  403  200
api-releases               GET      401  404  200  200  200  200  200  200  200  200
api-releases               POST     401  404  201  403  403  403  403  201  201  403
api-release                GET      401  404  200  200  200  200  200  200  200  200
api-offers                 GET      401  404  200  200  200  200  200  200  200  200
api-yank                   POST     401  404  403  403  403  403  200  200  403  403
api-quarantine             POST     401  404  403  403  403  403  200  200  403  403
api-hold-lift              POST     401  404  403  200  403  403  403  200  403  403
api-environments           GET      401  200  200  200  200  200  200  200  200  200
api-environments           POST     401  404  403  403  404  403  409  403  403  403
api-environment            GET      401  404  200  200  200  200  200  200  200  200
api-environment            PATCH    401  404  403  403  403  403  200  403  403  403
api-configuration          GET      401  404  200  200  200  200  200  200  200  200
api-configuration          PUT      401  404  403  403  403  403  200  403  403  403
api-check                  POST     401  404  403  403  403  403  200  403  403  403
api-lock                   POST     401  404  403  403  403  403  201  201  403  403
api-unlock                 POST     401  404  403  403  403  403  200  200  403  403
api-revert                 POST     401  404  403  403  403  403  201  201  403  403
api-adopt                  POST     401  404  403  403  403  403  201  201  403  403
api-health                 GET      401  404  200  200  200  200  200  200  200  200
api-rehearsal              GET      401  404  404  404  404  404  404  404  404  404
api-rehearsal              POST     401  404  403  403  403  403  403  201  403  403
api-rollback               GET      401  404  200  200  200  200  200  200  200  200
api-rollback               POST     401  404  403  403  403  403  201  201  403  403
api-promotions             GET      401  200  200  200  200  200  200  200  200  200
api-promotions             POST     401  404  403  403  403  403  403  201  403  403
api-promotion              GET      401  404  200  200  200  200  200  200  200  200
api-promotion-log          GET      401  404  200  200  200  200  200  200  200  200
api-promotion-approve      POST     401  404  403  200  403  200  403  403  403  403
api-promotion-reject       POST     401  404  403  200  403  200  403  403  403  403
api-promotion-withdraw     POST     401  404  409  409  409  409  409  409  409  409
api-promotion-cancel       POST     401  404  403  403  403  403  403  200  403  403
api-promotion-expedite     POST     401  404  403  403  403  403  403  200  403  403
api-promotion-abort        POST     401  404  403  403  403  403  403  200  403  403
api-promotion-resolve      POST     401  404  403  403  403  403  200  200  403  403
api-promotion-retry        POST     401  404  403  403  403  403  403  201  403  403
api-board                  GET      401  200  200  200  200  200  200  200  200  200
api-maintenance            GET      401  200  200  200  200  200  200  200  200  200
api-maintenance            POST     401  403  403  403  403  403  403  403  403  200
api-events                 GET      401  200  200  200  200  200  200  200  200  200
"""
LIVE, WAITING = "/promotions/{live}/", "/promotions/{waiting}/"
SHOP, DEV, TOLIVE = "/apps/shop/", "/apps/shop/dev/", "/apps/shop/live/"
V1 = "/api/v1/"
ADDRESSES: dict[str, str] = {
    "home": "/",
    "favicon": "/favicon.ico",
    "signin": "/signin/",
    "signout": "/signout/",
    "me": "/me/",
    "theme": "/me/theme/",
    "help": "/help/",
    "more": "/more/",
    "search": "/search/?q=shop",
    "events": "/events/?topics=application:shop",
    "board": "/board/",
    "board-export": "/board/export/",
    "board-waiting": "/board/waiting/",
    "board-row": "/board/row/shop/",
    "approvals": "/approvals/",
    "approvals-count": "/approvals/count/",
    "approve": "/approvals/{waiting}/",
    "approve-confirm": "/approvals/{waiting}/confirm/",
    "applications": "/apps/",
    "application": SHOP,
    "application-new": "/apps/new/",
    "application-edit": f"{SHOP}edit/",
    "application-configuration": f"{SHOP}config/",
    "application-settings": f"{SHOP}settings/",
    "application-releases": f"{SHOP}releases/",
    "releases-new": "/releases/new/",
    "release-new": f"{SHOP}releases/new/",
    "release-new-manifest": f"{SHOP}releases/new/manifest/",
    "release": f"{SHOP}releases/1.1.0/",
    "release-yank": f"{SHOP}releases/1.1.0/yank/",
    "release-quarantine": f"{SHOP}releases/1.1.0/quarantine/",
    "release-hold-lift": f"{SHOP}releases/1.1.0/holds/stage/lift/",
    "compare-choose": f"{SHOP}releases/compare/",
    "compare": f"{SHOP}releases/compare/1.0.0...1.1.0/",
    "environment": TOLIVE,
    "environment-new": f"{SHOP}dev/new/",
    "environment-edit": f"{TOLIVE}edit/",
    "environment-remove": f"{DEV}remove/",
    "environment-check": f"{TOLIVE}check/",
    "environment-configuration": f"{TOLIVE}configuration/",
    "environment-key": f"{DEV}configuration/GREETING/",
    "environment-key-remove": f"{DEV}configuration/GREETING/remove/",
    "environment-promote": f"{TOLIVE}promote/",
    "environment-rollback": f"{SHOP}stage/rollback/",
    "environment-revert": f"{SHOP}stage/revert/",
    "environment-adopt": f"{SHOP}stage/adopt/",
    "environment-rehearse": f"{SHOP}stage/rehearse/",
    "environment-lock": f"{TOLIVE}lock/",
    "environment-unlock": f"{TOLIVE}unlock/",
    "component-new": f"{TOLIVE}components/new/",
    "component-remove": f"{TOLIVE}components/{{component}}/remove/",
    "promotion": WAITING,
    "promotion-progress": f"{WAITING}progress/",
    "promotion-log": f"{LIVE}log/",
    "promotion-log-file": f"{LIVE}log.txt",
    "promotion-report": f"{LIVE}report.txt",
    "promotion-report-json": f"{LIVE}report.json",
    "promotion-cancel": f"{WAITING}cancel/",
    "promotion-abort": f"{WAITING}abort/",
    "promotion-retry": f"{WAITING}retry/",
    "promotion-resolve": f"{WAITING}resolve/",
    "promotion-reject": f"{WAITING}reject/",
    "promotion-expedite": f"{WAITING}expedite/",
    "maintenance": "/maintenance/",
    "maintenance-status": "/maintenance/status/",
    "maintenance-banner": "/maintenance/banner/",
    "pipeline": "/pipelines/shop/",
    "pipeline-new": "/pipelines/new/",
    "pipeline-edit": "/pipelines/shop/edit/",
    "phase": "/pipelines/shop/live/",
    "phase-new": "/pipelines/shop/phases/new/",
    "phase-edit": "/pipelines/shop/qa/edit/",
    "phase-remove": "/pipelines/shop/qa/remove/",
    "phase-lock": "/pipelines/shop/live/lock/",
    "phase-unlock": "/pipelines/shop/live/unlock/",
    "audit": "/audit/",
    "audit-export": "/audit/export/",
    "admin-signin": "/admin/login/",
    "gate-verify": "/_gate/verify/{environment}",
    "gate-begin": "/_gate/begin?environment={environment}",
    "gate-enter": "/_gate/enter/{environment}?code=made-up",
    "api-docs": "/api/docs/",
    "api-schema": "/api/schema/",
    "api-me": f"{V1}me/",
    "api-tokens": f"{V1}me/tokens/",
    "api-token": f"{V1}me/tokens/{{token}}/",
    "api-pipelines": f"{V1}pipelines/",
    "api-pipeline": f"{V1}pipelines/shop/",
    "api-phase": f"{V1}pipelines/shop/phases/qa/",
    "api-phase-lock": f"{V1}pipelines/shop/phases/live/lock/",
    "api-phase-unlock": f"{V1}pipelines/shop/phases/live/unlock/",
    "api-applications": f"{V1}applications/",
    "api-application": f"{V1}applications/shop/",
    "api-releases": f"{V1}applications/shop/releases/",
    "api-release": f"{V1}applications/shop/releases/1.1.0/",
    "api-offers": f"{V1}applications/shop/releases/1.1.0/offers/?phase=live",
    "api-yank": f"{V1}applications/shop/releases/1.1.0/yank/",
    "api-quarantine": f"{V1}applications/shop/releases/1.1.0/quarantine/",
    "api-hold-lift": f"{V1}applications/shop/releases/1.1.0/holds/stage/lift/",
    "api-environments": f"{V1}environments/",
    "api-environment": f"{V1}environments/shop/live/",
    "api-configuration": f"{V1}environments/shop/live/configuration/",
    "api-check": f"{V1}environments/shop/live/check/",
    "api-lock": f"{V1}environments/shop/live/lock/",
    "api-unlock": f"{V1}environments/shop/live/unlock/",
    "api-revert": f"{V1}environments/shop/stage/revert/",
    "api-adopt": f"{V1}environments/shop/stage/adopt/",
    "api-health": f"{V1}environments/shop/live/health/",
    "api-rollback": f"{V1}environments/shop/stage/rollback/",
    "api-rehearsal": f"{V1}environments/shop/stage/rehearsal/",
    "api-promotions": f"{V1}promotions/",
    "api-promotion": f"{V1}promotions/{{waiting}}/",
    "api-promotion-log": f"{V1}promotions/{{live}}/log/",
    "api-promotion-approve": f"{V1}promotions/{{waiting}}/approve/",
    "api-promotion-reject": f"{V1}promotions/{{waiting}}/reject/",
    "api-promotion-withdraw": f"{V1}promotions/{{waiting}}/withdraw/",
    "api-promotion-cancel": f"{V1}promotions/{{waiting}}/cancel/",
    "api-promotion-abort": f"{V1}promotions/{{waiting}}/abort/",
    "api-promotion-resolve": f"{V1}promotions/{{waiting}}/resolve/",
    "api-promotion-retry": f"{V1}promotions/{{waiting}}/retry/",
    "api-promotion-expedite": f"{V1}promotions/{{waiting}}/expedite/",
    "api-maintenance": f"{V1}maintenance/",
    "api-board": f"{V1}board/",
    "api-events": f"{V1}events/",
}
WHY, NO = {"reason": "It loses orders."}, {"comment": "Not like this."}
MOVE = {"application": "shop", "version": "1.1.0", "phase": "live"}
BODIES: dict[str, dict[str, Any]] = {
    "signin": {"username": "nobody", "password": "wrong"},
    "me": {"save": "1", "theme": "dark"},
    "theme": {"theme": "dark"},
    "approve": {"decision": "approve"},
    "application-new": {"pipeline": "shop", "name": "Another"},
    "application-edit": {"name": "Shop"},
    "release-yank": WHY,
    "release-quarantine": WHY,
    "environment-new": {"driver": "scripted", "instances": "1"},
    "environment-edit": {"instances": "2"},
    "environment-configuration": {"key": "GREETING", "value": "Hello"},
    "environment-key": {"value": "Good day"},
    "environment-promote": {"version": "1.1.0"},
    "environment-rollback": {"version": "1.0.0", "configuration": "then", **WHY},
    "environment-revert": WHY,
    "environment-adopt": WHY,
    "environment-lock": WHY,
    "phase-lock": WHY,
    "component-new": {"kind": "database", "name": "Orders"},
    "promotion-resolve": {"as": "failed", **WHY},
    "promotion-reject": NO,
    "promotion-expedite": WHY,
    "maintenance": {"on": "yes", **WHY},
    "pipeline": {"earlier": "stage"},
    "pipeline-new": {"name": "Another", "layout": "demo-live"},
    "pipeline-edit": {"name": "Shop"},
    "phase-new": {"name": "Demo", "after": "qa"},
    "phase-edit": {"name": "QA", "slug": "qa"},
    "api-phase": {"auto_rollback": True},
    "api-tokens": {"name": "CI"},
    "api-pipelines": {"slug": "another", "template": "demo-live"},
    "api-applications": {"slug": "another", "pipeline": "shop"},
    "api-yank": WHY,
    "api-quarantine": WHY,
    "api-pipeline": {"name": "The shop's way"},
    "api-application": {"name": "The shop"},
    "api-environment": {"instances": 2},
    "api-environments": {"application": "shop", "phase": "dev"},
    "api-configuration": {"values": {"GREETING": "Hello"}},
    "api-lock": WHY,
    "api-phase-lock": WHY,
    "api-revert": WHY,
    "api-adopt": WHY,
    "api-rollback": {"version": "1.0.0", **WHY},
    "api-promotions": MOVE,
    "api-promotion-reject": NO,
    "api-promotion-expedite": WHY,
    "api-maintenance": {"on": True, **WHY},
    "api-promotion-resolve": {"as": "failed"},
}
UPLOADS = ("release-new", "api-releases")


def errored(world: World) -> None:
    """RelMan could not find out what became of it."""
    Promotion.objects.filter(pk=world.promotions["waiting"].pk).update(status="errored", finished_at=Now())


def running(world: World) -> None:
    """It runs."""
    Promotion.objects.filter(pk=world.promotions["waiting"].pk).update(status="running", started_at=Now())


def over(world: World) -> None:
    """It was withdrawn."""
    Promotion.objects.filter(pk=world.promotions["waiting"].pk).update(status="cancelled", finished_at=Now())


def locked(world: World) -> None:
    """Live is locked."""
    places.lock(world.shop.environments["live"], actor=world.shop.actor("devops"), reason="Audit")


def phase_locked(world: World) -> None:
    """All of Live is locked."""
    places.lock(world.shop.phase("live"), actor=world.shop.actor("devops"), reason="Audit")


def drifted(world: World) -> None:
    """1.0.0, which ran there before, runs in Stage in place of what is recorded."""
    stage = world.shop.environments["stage"]
    digest = world.releases["1.0.0"].artifacts.get().digest
    live = queries.live_of(stage)
    assert live is not None
    seen = Observation(running=1, healthy=True, version="1.0.0", digest=digest)
    found = reality.compare(health.expected_of(live), seen)
    assert found is not None
    Environment.objects.filter(pk=stage.pk).update(drift=found.as_json(), drift_since=Now())


def left(world: World) -> None:
    """Stage was rolled back from 1.1.0."""
    actor = world.shop.actor("release-manager")
    actions.roll_back(world.shop.environments["stage"], actor=actor, reason="It loses orders.")


GIVEN: dict[str, Callable[[World], None]] = {
    "release-hold-lift": left,
    "api-hold-lift": left,
    "promotion-abort": running,
    "promotion-retry": over,
    "promotion-resolve": errored,
    "environment-unlock": locked,
    "phase-unlock": phase_locked,
    "environment-revert": drifted,
    "environment-adopt": drifted,
    "api-revert": drifted,
    "api-adopt": drifted,
    "api-promotion-abort": running,
    "api-promotion-retry": over,
    "api-promotion-resolve": errored,
    "api-unlock": locked,
    "api-phase-unlock": phase_locked,
}
METHODS = {
    "favicon": ("GET",),
    "signin": ("GET", "POST"),
    "signout": ("POST",),
    "theme": ("POST",),
    "events": ("GET",),
    "admin-signin": ("GET",),
    "gate-verify": ("GET",),
    "gate-begin": ("GET",),
    "gate-enter": ("GET",),
    "api-docs": ("GET",),
    "api-schema": ("GET",),
}
"""Of views that are neither pages nor the API's."""


def rows() -> Iterator[tuple[str, str, dict[str, int]]]:
    """Name, method, and the status for everybody."""
    for line in TABLE.strip("\n").splitlines()[1:]:
        name, method, *statuses = line.split()
        yield name, method, dict(zip(PEOPLE, map(int, statuses), strict=True))


def addresses(patterns: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every named address but those inside the admin site, with its view."""
    for one in get_resolver().url_patterns if patterns is None else patterns:
        if isinstance(one, URLResolver) and one.app_name != "admin":
            yield from addresses(one.url_patterns)
        elif isinstance(one, URLPattern) and one.name:
            yield one.name, one.callback


def methods(name: str, view: Any) -> tuple[str, ...]:
    """What the view answers to."""
    if hasattr(view, "methods"):
        return tuple(method for method in view.methods if method != "HEAD")
    if name in METHODS:
        return METHODS[name]
    return tuple(method.upper() for method in ("get", "post", "put", "patch", "delete") if hasattr(view.cls, method))


def test_every_address_and_method_has_one_row():
    wanted = sorted((name, method) for name, view in addresses() for method in methods(name, view))
    assert sorted((name, method) for name, method, _ in rows()) == wanted
    assert {name for name, _ in wanted} == set(ADDRESSES)


@pytest.fixture(scope="module")
def browsers(built, django_db_blocker):  # noqa: F811 - the fixture
    """A browser for each person, and a token where they have one."""
    with django_db_blocker.unblock():
        dev, devops = built.shop.environments["dev"], built.shop.actor("devops")
        places.set_configuration(dev, {"GREETING": "Hello"}, actor=devops)
        built.names = {
            **{name: one.pk for name, one in built.promotions.items()},
            "environment": built.shop.environments["stage"].pk,
            "component": places.add_component(
                built.shop.environments["live"], actor=devops, kind="queue", name="Mail"
            ).pk,
        }
        return {who: Browser(built, who) for who in PEOPLE}


class Browser:
    """One person: signed in for pages, with a token for the API."""

    def __init__(self, world: World, who: str) -> None:
        self.world, self.user = world, world.user(who)
        self.client = world.browser(who)
        self.cookies = {name: one.value for name, one in self.client.cookies.items()}
        self.token, self.raw = None, ""
        if self.user:
            self.token, self.raw = tokens.issue(self.user, actor=Actor(self.user, "page"), name="Matrix")

    def ask(self, name: str, method: str) -> int:
        """The status of one request, whose effects are taken back."""
        self.client.cookies = SimpleCookie(self.cookies)
        with transaction.atomic():
            if method != "GET" and name in GIVEN:
                GIVEN[name](copy.deepcopy(self.world))  # what it changes in an object is not taken back
            found = self._send(name, method)
            transaction.set_rollback(True)
        return int(found.status_code)

    def _send(self, name: str, method: str) -> Any:
        token = self.token.pk if self.token else 0
        address = ADDRESSES[name].format(token=token, **self.world.names)
        body = BODIES.get(name, {})
        if name in UPLOADS and method == "POST":
            data = factories.archive("2.0.0").path.read_bytes()
            body = {"version": "2.0.0", "artifact": SimpleUploadedFile("shop.tar.gz", data)}
            return self._client(name).post(address, body, headers=self._headers(name))
        if name.startswith("api-"):
            extra = {"content_type": "application/json"} if method != "GET" else {}
            sent = body if method != "GET" else None
            return getattr(self._client(name), method.lower())(address, sent, headers=self._headers(name), **extra)
        if method == "POST":
            return self.client.post(address, body)
        return self.client.get(address, headers=self._headers(name))

    def _client(self, name: str) -> Client:
        return self.world.browser("anonymous") if name.startswith("api-") else self.client

    def _headers(self, name: str) -> dict[str, str]:
        if name in ("gate-verify", "gate-enter"):
            asking = {probe.ASKING: probe.asking(gateway.place())}
            return asking | ({"relman-token": self.raw} if self.raw else {})
        return {"authorization": f"Bearer {self.raw}"} if name.startswith("api-") and self.raw else {}


@pytest.mark.parametrize("name,method,expected", [pytest.param(*row, id=f"{row[0]} {row[1]}") for row in rows()])
def test_everybody_gets_the_answer_of_the_table(browsers, db, name, method, expected):
    assert {who: browsers[who].ask(name, method) for who in PEOPLE} == expected


def test_every_form_without_its_key_is_refused(browsers, db):
    """Whatever is posted from a session: another site cannot have it sent by somebody who is signed in."""
    admin, tried = browsers["admin"], 0
    client = Client(enforce_csrf_checks=True)
    client.cookies = SimpleCookie(admin.cookies)
    for name, method, _ in rows():
        if method != "POST" or name == "signin" or name.startswith("api-"):
            continue
        address = ADDRESSES[name].format(token=0, **admin.world.names)
        assert client.post(address, BODIES.get(name, {})).status_code == 403, name
        tried += 1
    assert tried > 20


def test_no_page_is_framed_or_runs_what_was_written_into_it(browsers, db):
    for name in ("board", "me", "approvals", "signin"):
        answer = browsers["anonymous" if name == "signin" else "admin"].client.get(ADDRESSES[name])
        policy = answer["Content-Security-Policy"]
        assert "unsafe" not in policy and "default-src" in policy, policy
        assert answer["X-Frame-Options"] == "DENY"
        assert answer["X-Content-Type-Options"] == "nosniff"
