"""Publishing and reading releases over the API."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from io import BytesIO

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from releases import storage, uploads
from releases.models import Release
from tests import factories
from tests.client import good, refused

PLACE = "applications/shop/releases/"


@pytest.fixture
def shop(db, bell):
    """Nothing here needs the engine, so nothing needs to be committed."""
    return factories.shop()


def staged_files():
    return list(storage.staging().glob(f"*{storage.SUFFIX}"))


def test_a_release_is_published_and_read(api, archive):
    data = archive()
    changes = json.dumps([{"title": "Pay by card", "kind": "feature", "ticket": "PAY-1", "author": "Ada"}])
    made = good(api("ci-robot").publish("shop", "1.0.0", data, notes="First.", commit="abc", changes=changes), 201)
    assert made["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert made["size"] == len(data)
    assert made["changes"] == [{"title": "Pay by card", "kind": "feature", "ticket": "PAY-1", "author": "Ada"}]
    assert good(api("stakeholder").get(PLACE + "1.0.0/")) == made
    assert [row["version"] for row in good(api("stakeholder").get(PLACE))["results"]] == ["1.0.0"]
    assert staged_files() == []


def test_the_same_again_is_200_and_other_bytes_are_409(api, archive):
    robot = api("ci-robot")
    good(robot.publish("shop", "1.0.0", archive()), 201)
    data = archive("other")
    refused(robot.publish("shop", "1.0.0", data), 409)
    first = Release.objects.get().artifacts.get()
    same = storage.path_of(first.digest).read_bytes()
    good(robot.publish("shop", "1.0.0", same), 200)
    assert Release.objects.count() == 1


def test_who_may_not_publish_is_told_before_the_body_is_read(api, outsider, archive, monkeypatch):
    def never(*_, **__):
        raise AssertionError("The body was read.")

    monkeypatch.setattr(uploads.HashingUploadHandler, "new_file", never)
    problem = refused(api("qa-engineer").publish("shop", "1.0.0", archive()), 403, "forbidden")
    assert "Developer" in problem["roles"]
    refused(outsider.publish("shop", "1.0.0", archive()), 404, "not_found")
    refused(api().publish("shop", "1.0.0", archive()), 401, "unauthenticated")


def test_a_pages_upload_is_refused_before_it_is_read_too(shop, archive, monkeypatch):
    def never(*_, **__):
        raise AssertionError("The body was read.")

    monkeypatch.setattr(uploads.HashingUploadHandler, "new_file", never)
    place, client = reverse("release-new", args=["shop"]), Client(enforce_csrf_checks=True)
    form = {"version": "1.0.0"}
    assert client.post(place, {**form, "artifact": BytesIO(archive())}).status_code == 302
    client.force_login(shop.actor("qa-engineer").user)
    assert client.post(place, {**form, "artifact": BytesIO(archive())}).status_code == 403
    client.force_login(shop.actor("developer").user)
    with override_settings(UPLOAD_MAX_BYTES=-(2**20)):
        assert client.post(place, {**form, "artifact": BytesIO(archive())}).status_code == 413


def test_a_page_that_takes_no_file_takes_no_large_body(shop, archive, monkeypatch):
    def never(*_, **__):
        raise AssertionError("The body was read.")

    monkeypatch.setattr(uploads.HashingUploadHandler, "new_file", never)
    client = Client(enforce_csrf_checks=True)
    client.force_login(shop.actor("stakeholder").user)
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=100):
        answer = client.post("/me/", {"token_name": "x", "artifact": BytesIO(archive())})
    assert answer.status_code == 413 and "than RelMan takes for a form" in answer.content.decode()


@override_settings(UPLOAD_MAX_BYTES=100)
def test_what_is_too_big_is_413_by_its_declared_length(api, archive, monkeypatch):
    monkeypatch.setattr(uploads, "FIELDS", 0)
    refused(api("ci-robot").publish("shop", "1.0.0", b"x" * 500), 413, "too_big")
    assert staged_files() == [] and not Release.objects.exists()


@override_settings(UPLOAD_MAX_BYTES=100)
def test_what_is_too_big_is_413_while_it_streams_and_leaves_nothing(api):
    refused(api("ci-robot").publish("shop", "1.0.0", b"x" * 500), 413, "too_big")
    assert staged_files() == []


def test_a_body_of_unknown_length_is_411(api):
    answer = api("ci-robot").post(PLACE, "", **{"transfer-encoding": "chunked"})
    refused(answer, 411, "length_required")
    assert staged_files() == [] and not Release.objects.exists()


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"version": "one"}, "version"),
        ({"changes": "nonsense"}, "changes"),
        ({"changes": '[{"titel": "x"}]'}, "changes.0.titel"),
        ({"status": "live"}, "status"),
        ({"digest": "00"}, "digest"),
    ],
)
def test_malformed_fields_are_400(api, archive, fields, name):
    version = fields.pop("version", "1.0.0")
    problem = refused(api("ci-robot").publish("shop", version, archive(), **fields), 400, "invalid")
    assert name in problem["fields"]
    assert Release.objects.count() == 0
    assert staged_files() == []


def test_what_is_no_archive_is_422(api):
    problem = refused(api("ci-robot").publish("shop", "1.0.0", b"not an archive"), 422)
    assert problem["errors"]
    assert staged_files() == []


def test_no_artifact_and_no_multipart(api):
    robot = api("ci-robot")
    refused(robot.post(PLACE, {"version": "1.0.0"}), 415, "unsupported_media_type")
    answer = robot.client.post(f"/api/v1/{PLACE}", {"version": "1.0.0"}, headers=robot.headers)
    assert "artifact" in refused(answer, 400)["fields"]


def test_lists_are_filtered_and_paged(shop, api):
    for version in ("1.0.0", "1.1.0", "1.2.0-rc.1"):
        shop.release(version)
    reader = api("stakeholder")
    assert [row["version"] for row in good(reader.get(PLACE + "?channel=rc"))["results"]] == ["1.2.0-rc.1"]
    page = good(reader.get(PLACE + "?limit=2"))
    assert [row["version"] for row in page["results"]] == ["1.2.0-rc.1", "1.1.0"]
    rest = good(reader.get(page["next"].removeprefix("http://testserver")))
    assert [row["version"] for row in rest["results"]] == ["1.0.0"]
    assert rest["next"] is None


@pytest.mark.parametrize(
    "query",
    ["colour=red", "cursor=%2A", "cursor=MTIz%00", f"cursor={'OTk5' * 2000}", "limit=many", "state=gone", "format=xml"],
)
def test_unknown_and_malformed_filters_are_400(api, query):
    problem = refused(api("stakeholder").get(PLACE + "?" + query), 400, "invalid")
    assert "results" not in problem


def test_an_outsider_finds_nothing(shop, outsider):
    shop.release()
    for path in (PLACE, PLACE + "1.0.0/", "applications/shop/", PLACE + "1.0.0/offers/?phase=dev"):
        refused(outsider.get(path), 404, "not_found")
    assert good(outsider.get("applications/"))["results"][0]["slug"] == "other"


def test_yank_and_quarantine(shop, api):
    shop.release("1.0.0")
    refused(api("developer").post(PLACE + "1.0.0/yank/", {"reason": "Broken."}), 403)
    refused(api("release-manager").post(PLACE + "1.0.0/yank/", {}), 400)
    made = good(api("release-manager").post(PLACE + "1.0.0/yank/", {"reason": "Broken."}))
    assert (made["state"], made["withdrawn_reason"]) == ("yanked", "Broken.")
    assert (
        good(api("release-manager").post(PLACE + "1.0.0/quarantine/", {"reason": "Worse."}))["state"] == "quarantined"
    )
    refused(api("release-manager").post(PLACE + "1.0.0/yank/", {"reason": "Again."}), 409)


def test_what_if(shop, api):
    shop.release("1.0.0")
    offer = good(api("release-manager").get(PLACE + "1.0.0/offers/?phase=live"))
    assert offer["allowed"] is False
    assert {one["gate"]: one["state"] for one in offer["verdicts"]}["order"] == "failed"
    offer = good(api("developer").get(PLACE + "1.0.0/offers/?phase=dev"))
    assert offer["allowed"] is True and offer["way_back"]["version"] is None
    refused(api("developer").get(PLACE + "1.0.0/offers/"), 400)
    refused(api("developer").get(PLACE + "1.0.0/offers/?phase=moon"), 404)


def test_leftovers_of_dead_processes_are_removed():
    writer = uploads.Writer("artifact")
    writer.write(b"half")
    writer._file.close()
    assert storage.clean_staging(timedelta(hours=1)) == 0
    assert storage.clean_staging(timedelta(seconds=-5)) == 1
    assert staged_files() == []
