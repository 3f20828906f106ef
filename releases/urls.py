"""Addresses of the pages about what moves."""

from django.urls import path

from releases.views import (
    applications,
    approvals,
    audit,
    board,
    drift,
    environments,
    live,
    maintenance,
    pipelines,
    promotions,
    releases,
    search,
)

APP = "apps/<str:application>/"
RELEASE = f"{APP}releases/<str:version>/"
PLACE = f"{APP}<str:phase>/"
PHASE = "pipelines/<str:pipeline>/<str:phase>/"
PROMOTION = "promotions/<int:promotion>/"

urlpatterns = [
    path("board/", board.board, name="board"),
    path("board/export/", board.export, name="board-export"),
    path("board/waiting/", board.waiting, name="board-waiting"),
    path("board/row/<str:application>/", board.row, name="board-row"),
    path("approvals/", approvals.approvals, name="approvals"),
    path("approvals/count/", approvals.count, name="approvals-count"),
    path("approvals/<int:promotion>/", approvals.approve, name="approve"),
    path("approvals/<int:promotion>/confirm/", approvals.confirm, name="approve-confirm"),
    path("releases/new/", releases.choose, name="releases-new"),
    path("apps/", applications.applications, name="applications"),
    path(APP, applications.application, name="application"),
    path(f"{APP}releases/", applications.application_releases, name="application-releases"),
    path(f"{APP}releases/new/", releases.new, name="release-new"),
    path(f"{APP}releases/compare/", releases.choose_two, name="compare-choose"),
    path(f"{APP}releases/compare/<str:first>...<str:second>/", releases.compare, name="compare"),
    path(RELEASE, releases.release, name="release"),
    path(f"{RELEASE}yank/", releases.yank, name="release-yank"),
    path(f"{RELEASE}quarantine/", releases.quarantine, name="release-quarantine"),
    path(f"{RELEASE}holds/<str:phase>/lift/", releases.lift_hold, name="release-hold-lift"),
    path(PLACE, environments.environment, name="environment"),
    path(f"{PLACE}configuration/", environments.configuration, name="environment-configuration"),
    path(f"{PLACE}promote/", environments.promote, name="environment-promote"),
    path(f"{PLACE}adopt/", drift.adopt, name="environment-adopt"),
    path(f"{PLACE}revert/", drift.revert, name="environment-revert"),
    path(f"{PLACE}rollback/", environments.rollback, name="environment-rollback"),
    path(f"{PLACE}rehearse/", environments.rehearse, name="environment-rehearse"),
    path(f"{PLACE}lock/", environments.lock, name="environment-lock"),
    path(f"{PLACE}unlock/", environments.unlock, name="environment-unlock"),
    path(PROMOTION, promotions.promotion, name="promotion"),
    path(f"{PROMOTION}progress/", promotions.progress, name="promotion-progress"),
    path(f"{PROMOTION}log/", promotions.log, name="promotion-log"),
    path(f"{PROMOTION}log.txt", promotions.log_file, name="promotion-log-file"),
    path(f"{PROMOTION}report.txt", promotions.report_text_file, name="promotion-report"),
    path(f"{PROMOTION}report.json", promotions.report_json_file, name="promotion-report-json"),
    path(f"{PROMOTION}cancel/", promotions.cancel, name="promotion-cancel"),
    path(f"{PROMOTION}expedite/", promotions.expedite, name="promotion-expedite"),
    path(f"{PROMOTION}abort/", promotions.abort, name="promotion-abort"),
    path(f"{PROMOTION}retry/", promotions.retry, name="promotion-retry"),
    path(f"{PROMOTION}resolve/", promotions.resolve, name="promotion-resolve"),
    path(f"{PROMOTION}reject/", promotions.reject, name="promotion-reject"),
    path("pipelines/<str:pipeline>/", pipelines.pipeline, name="pipeline"),
    path(PHASE, pipelines.phase, name="phase"),
    path(f"{PHASE}lock/", pipelines.lock, name="phase-lock"),
    path(f"{PHASE}unlock/", pipelines.unlock, name="phase-unlock"),
    path("maintenance/", maintenance.maintenance, name="maintenance"),
    path("maintenance/status/", maintenance.status, name="maintenance-status"),
    path("maintenance/banner/", maintenance.banner, name="maintenance-banner"),
    path("audit/", audit.audit, name="audit"),
    path("audit/export/", audit.export, name="audit-export"),
    path("search/", search.search, name="search"),
    path("events/", live.events, name="events"),
]
