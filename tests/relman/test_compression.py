"""Fewer bytes over the wire, and the same bytes for who cannot read them compressed."""

import gzip
from pathlib import Path

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory

from relman.compression import CompressionMiddleware, pack

ABLE = {"Accept-Encoding": "gzip, br"}
STYLES = "/static/css/relman.css"


def body(answer):
    return b"".join(answer)


def test_a_page_is_compressed_for_who_can_read_it(db):
    packed, plain = Client().get("/signin/", headers=ABLE), Client().get("/signin/")
    assert packed["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed["Vary"]
    assert b"<h1>Sign in</h1>" in gzip.decompress(packed.content)
    assert len(packed.content) < len(plain.content) / 2
    assert not plain.has_header("Content-Encoding")


def test_the_length_of_an_answer_tells_nothing_of_what_it_holds(db):
    request = RequestFactory().get("/", headers=ABLE)
    answers = [HttpResponse("secret " * 300, content_type="text/html") for _ in range(30)]
    for answer in answers:
        CompressionMiddleware(lambda _, answer=answer: answer)(request)
    sizes = {len(answer.content) for answer in answers}
    assert len(sizes) > 1


@pytest.mark.parametrize(
    "answer",
    [
        StreamingHttpResponse(["event: beat\n\n"] * 300, content_type="text/event-stream"),
        HttpResponse(b"\x1f\x8b" * 900, content_type="application/gzip"),
    ],
)
def test_streams_and_archives_go_out_as_they_are(answer):
    request = RequestFactory().get("/", headers=ABLE)
    answered = CompressionMiddleware(lambda _: answer)(request)
    assert not answer.has_header("Content-Encoding")
    assert answered is answer


def test_a_static_file_is_compressed_and_the_same():
    packed, plain = Client().get(STYLES, headers=ABLE), Client().get(STYLES)
    assert packed["Content-Encoding"] == "gzip"
    assert packed["Vary"] == plain["Vary"] == "Accept-Encoding"
    content = body(packed)
    assert int(packed["Content-Length"]) == len(content)
    assert gzip.decompress(content) == body(plain) == Path("static/css/relman.css").read_bytes()
    assert packed["Content-Type"] == plain["Content-Type"]


def test_fonts_are_compressed_already():
    assert not Client().get("/static/fonts/inter-latin-wght-normal.woff2", headers=ABLE).has_header("Content-Encoding")


def test_the_next_version_of_a_file_is_compressed_anew(tmp_path):
    file = tmp_path / "page.css"
    file.write_text("a { color: red }" * 100)
    first = pack(file, tmp_path / "packed")
    assert first is not None and pack(file, tmp_path / "packed") == first
    file.write_text("a { color: blue }" * 101)
    second = pack(file, tmp_path / "packed")
    assert second is not None and second != first
    assert gzip.decompress(second.read_bytes()) == file.read_bytes()


def test_where_no_copy_can_be_written_the_file_is_served_as_it_is(tmp_path):
    file = tmp_path / "page.css"
    file.write_text("a { color: red }" * 100)
    (tmp_path / "taken").write_text("a file, where the folder should be")
    assert pack(file, tmp_path / "taken") is None
    assert list(tmp_path.glob("*.part")) == []
