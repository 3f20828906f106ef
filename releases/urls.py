"""Addresses of the pages about what moves."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from relman.errors import NotFound


def soon(request: HttpRequest, **kwargs: object) -> HttpResponse:
    raise NotFound()


PAGES = {
    "board": "board/",
    "board-waiting": "board/waiting/",
    "board-row": "board/row/<str:application>/",
    "approvals": "approvals/",
    "approvals-count": "approvals/count/",
    "approve": "approvals/<int:promotion>/",
    "approve-confirm": "approvals/<int:promotion>/confirm/",
    "releases-new": "releases/new/",
    "applications": "apps/",
    "application": "apps/<str:application>/",
    "application-releases": "apps/<str:application>/releases/",
    "release-new": "apps/<str:application>/releases/new/",
    "compare": "apps/<str:application>/releases/compare/<str:first>...<str:second>/",
    "release": "apps/<str:application>/releases/<str:version>/",
    "release-yank": "apps/<str:application>/releases/<str:version>/yank/",
    "release-quarantine": "apps/<str:application>/releases/<str:version>/quarantine/",
    "environment": "apps/<str:application>/<str:phase>/",
    "environment-configuration": "apps/<str:application>/<str:phase>/configuration/",
    "environment-promote": "apps/<str:application>/<str:phase>/promote/",
    "environment-rollback": "apps/<str:application>/<str:phase>/rollback/",
    "environment-lock": "apps/<str:application>/<str:phase>/lock/",
    "environment-unlock": "apps/<str:application>/<str:phase>/unlock/",
    "promotion": "promotions/<int:promotion>/",
    "promotion-progress": "promotions/<int:promotion>/progress/",
    "promotion-log": "promotions/<int:promotion>/log/",
    "promotion-log-file": "promotions/<int:promotion>/log.txt",
    "promotion-cancel": "promotions/<int:promotion>/cancel/",
    "promotion-abort": "promotions/<int:promotion>/abort/",
    "promotion-retry": "promotions/<int:promotion>/retry/",
    "promotion-resolve": "promotions/<int:promotion>/resolve/",
    "promotion-reject": "promotions/<int:promotion>/reject/",
    "pipeline": "pipelines/<str:pipeline>/",
    "phase": "pipelines/<str:pipeline>/<str:phase>/",
    "audit": "audit/",
    "audit-export": "audit/export/",
    "search": "search/",
    "events": "events/",
}
urlpatterns = [path(address, soon, name=name) for name, address in PAGES.items()]
