"""Every address of the API, below /api/v1/."""

from __future__ import annotations

from django.urls import path, re_path

from phases import api as phases
from releases.api import board, environments, events, maintenance, promotions, releases
from relman.api import unknown

urlpatterns = [
    path("me/", phases.Me.as_view(), name="api-me"),
    path("me/tokens/", phases.Tokens.as_view(), name="api-tokens"),
    path("me/tokens/<int:number>/", phases.OneToken.as_view(), name="api-token"),
    path("pipelines/", phases.Pipelines.as_view(), name="api-pipelines"),
    path("pipelines/<str:slug>/", phases.OnePipeline.as_view(), name="api-pipeline"),
    path("pipelines/<str:slug>/phases/<str:phase>/", phases.OnePhase.as_view(), name="api-phase"),
    path("pipelines/<str:slug>/phases/<str:phase>/lock/", phases.PhaseLocked.as_view(), name="api-phase-lock"),
    path("pipelines/<str:slug>/phases/<str:phase>/unlock/", phases.PhaseUnlocked.as_view(), name="api-phase-unlock"),
    path("applications/", phases.Applications.as_view(), name="api-applications"),
    path("applications/<str:slug>/", phases.OneApplication.as_view(), name="api-application"),
    path("applications/<str:slug>/releases/", releases.Releases.as_view(), name="api-releases"),
    path("applications/<str:slug>/releases/<str:version>/", releases.OneRelease.as_view(), name="api-release"),
    path("applications/<str:slug>/releases/<str:version>/offers/", releases.Offers.as_view(), name="api-offers"),
    path("applications/<str:slug>/releases/<str:version>/yank/", releases.Yank.as_view(), name="api-yank"),
    path(
        "applications/<str:slug>/releases/<str:version>/quarantine/",
        releases.Quarantine.as_view(),
        name="api-quarantine",
    ),
    path(
        "applications/<str:slug>/releases/<str:version>/holds/<str:phase>/lift/",
        releases.LiftHold.as_view(),
        name="api-hold-lift",
    ),
    path("environments/", phases.Environments.as_view(), name="api-environments"),
    path("environments/<str:application>/<str:phase>/", environments.OneEnvironment.as_view(), name="api-environment"),
    path(
        "environments/<str:application>/<str:phase>/configuration/",
        phases.Configuration.as_view(),
        name="api-configuration",
    ),
    path("environments/<str:application>/<str:phase>/check/", phases.Check.as_view(), name="api-check"),
    path("environments/<str:application>/<str:phase>/lock/", phases.Locked.as_view(), name="api-lock"),
    path("environments/<str:application>/<str:phase>/unlock/", phases.Unlocked.as_view(), name="api-unlock"),
    path("environments/<str:application>/<str:phase>/adopt/", environments.Adopt.as_view(), name="api-adopt"),
    path("environments/<str:application>/<str:phase>/health/", environments.Health.as_view(), name="api-health"),
    path("environments/<str:application>/<str:phase>/revert/", environments.Revert.as_view(), name="api-revert"),
    path("environments/<str:application>/<str:phase>/rollback/", environments.RollBack.as_view(), name="api-rollback"),
    path(
        "environments/<str:application>/<str:phase>/rehearsal/", environments.Rehearsal.as_view(), name="api-rehearsal"
    ),
    path("promotions/", promotions.Promotions.as_view(), name="api-promotions"),
    path("promotions/<int:number>/", promotions.OnePromotion.as_view(), name="api-promotion"),
    path("promotions/<int:number>/log/", promotions.Log.as_view(), name="api-promotion-log"),
    path("promotions/<int:number>/approve/", promotions.Approve.as_view(), name="api-promotion-approve"),
    path("promotions/<int:number>/reject/", promotions.Reject.as_view(), name="api-promotion-reject"),
    path("promotions/<int:number>/withdraw/", promotions.Withdraw.as_view(), name="api-promotion-withdraw"),
    path("promotions/<int:number>/cancel/", promotions.Cancel.as_view(), name="api-promotion-cancel"),
    path("promotions/<int:number>/expedite/", promotions.Expedite.as_view(), name="api-promotion-expedite"),
    path("promotions/<int:number>/abort/", promotions.Abort.as_view(), name="api-promotion-abort"),
    path("promotions/<int:number>/resolve/", promotions.Resolve.as_view(), name="api-promotion-resolve"),
    path("promotions/<int:number>/retry/", promotions.Retry.as_view(), name="api-promotion-retry"),
    path("board/", board.Board.as_view(), name="api-board"),
    path("maintenance/", maintenance.Maintenance.as_view(), name="api-maintenance"),
    path("events/", events.Events.as_view(), name="api-events"),
    re_path(r"^", unknown),
]
