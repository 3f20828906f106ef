"""Uploads through a real web process: refused before they are read, streamed to disk, and survived."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection

from releases import storage
from releases.models import Release
from tests.web import database_url, web

MANY = 1 << 33
HEAD = (
    b'--relman-boundary-7f3a\r\nContent-Disposition: form-data; name="version"\r\n\r\n1.0.0\r\n'
    b'--relman-boundary-7f3a\r\nContent-Disposition: form-data; name="artifact"; filename="a.tar.gz"\r\n\r\n'
)
TAIL = b"\r\n--relman-boundary-7f3a--\r\n"


@pytest.fixture
def server(shop, tmp_path):
    """A web process on the tests' database."""
    variables = {"DATABASE_URL": database_url(connection.settings_dict), "SECRET_KEY": settings.SECRET_KEY}
    with web(variables, tmp_path / "web.log") as running:
        yield running


def begin(server, raw, length, *, expect=False):
    """Send the head of an upload and nothing more."""
    line = socket.create_connection(("127.0.0.1", server.port), 60)
    head = [
        "POST /api/v1/applications/shop/releases/ HTTP/1.1",
        f"Host: localhost:{server.port}",
        f"Authorization: Bearer {raw}" if raw else "X-Nothing: 1",
        "Content-Type: multipart/form-data; boundary=relman-boundary-7f3a",
        f"Content-Length: {length}",
        *(["Expect: 100-continue"] if expect else []),
    ]
    line.sendall("\r\n".join([*head, "", ""]).encode())
    return line


def answer_on(line):
    """Status and document; closes the line."""
    with line, http.client.HTTPResponse(line) as response:
        response.begin()
        return response.status, json.loads(response.read() or b"null")


def send(server, raw, data):
    """A whole upload."""
    line = begin(server, raw, len(HEAD) + len(data) + len(TAIL))
    line.sendall(HEAD + data + TAIL)
    return answer_on(line)


@pytest.mark.parametrize("expect", [False, True])
def test_refusals_come_before_the_body(server, api, expect):
    """Nothing of the body is sent, and the answer comes all the same."""
    robot = api("ci-robot").raw
    for raw, length, status in (
        ("", 1 << 20, 401),
        ("rlm_made_up", MANY, 401),
        (api("qa-engineer").raw, 1 << 20, 403),
        (robot, MANY, 413),
    ):
        line = begin(server, raw, length, expect=expect)
        assert answer_on(line)[0] == status
    assert not list(storage.staging().iterdir())


def test_a_large_upload_arrives_whole(server, api):
    data = os.urandom(3_000_000)
    status, document = send(server, api("ci-robot").raw, data)
    assert (status, document["code"]) == (422, "archive_refused"), document
    assert not list(storage.staging().iterdir())


def test_a_client_that_hangs_up_leaves_nothing(server, api):
    line = begin(server, api("ci-robot").raw, 10_000_000)
    line.sendall(HEAD + os.urandom(1_000_000))
    wait_for(lambda: any(storage.staging().iterdir()))
    line.close()
    wait_for(lambda: not any(storage.staging().iterdir()))
    assert server.process.poll() is None


def test_a_killed_web_process_leaves_no_release_and_the_retry_works(server, api, archive, tmp_path, shop):
    """Fault 16."""
    raw, data = api("ci-robot").raw, archive(content="x" * 200_000)
    line = begin(server, raw, 10_000_000)
    line.sendall(HEAD + os.urandom(2_000_000))
    wait_for(lambda: any(storage.staging().iterdir()))
    server.process.kill()
    server.process.wait()
    line.close()
    assert Release.objects.count() == 0
    assert storage.clean_staging(timedelta(seconds=-5)) == 1
    variables = {"DATABASE_URL": database_url(connection.settings_dict), "SECRET_KEY": settings.SECRET_KEY}
    with web(variables, tmp_path / "again.log") as again:
        status, document = send(again, raw, data)
    assert status == 201, document
    digest = document["digest"].removeprefix("sha256:")
    assert storage.hash_of(storage.path_of(digest)) == digest


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "It did not happen."
        time.sleep(0.05)
