"""Publishing: reproducible packing, streamed upload, what goes along with it."""

from __future__ import annotations

import email
import email.message
import io
import json
import os
import subprocess
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from relman.cli import exits
from relman.cli.failure import Failure
from relman.cli.pack import FIXED_TIME, pack
from relman.cli.progress import Progress, clock, line, size
from relman.cli.upload import Upload
from tests.cli.conftest import Run
from tests.cli.server import HANG_UP, Api, Asked

RELEASES = "POST applications/shop/releases/"
RELEASE = {"version": "1.0.0", "digest": "sha256:ab"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small application."""
    tree = tmp_path / "shop"
    (tree / "static").mkdir(parents=True)
    (tree / "relman.toml").write_text('[run]\ncommand = "python3 app.py"\nhealth = "/"\n')
    (tree / "app.py").write_text("print('hello')\n")
    (tree / "start").write_text("#!/bin/sh\n")
    (tree / "start").chmod(0o700)
    (tree / "static" / "a.css").write_text("a {}\n")
    return tree


def parts(asked: Asked) -> dict[str, bytes]:
    """The fields of a multipart request."""
    head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + asked.content)
    found = {}
    for part in message.get_payload():
        assert isinstance(part, email.message.Message)
        found[str(part.get_param("name", header="content-disposition"))] = part.get_payload(decode=True)
    return {name: bytes(content) for name, content in found.items() if isinstance(content, bytes)}


def packed(tree: Path) -> tuple[bytes, list[str]]:
    """The archive and what was left out."""
    target = io.BytesIO()
    skipped = pack(tree, target)
    return target.getvalue(), skipped


def test_a_directory_is_packed_and_published(run: Run, api: Api, tree: Path) -> None:
    api.on(RELEASES, RELEASE, status=201)
    ran = run("publish", "shop", str(tree), "--version", "1.0.0", "--notes", "New.", "--author", "ada")
    assert ran.code == 0
    assert "Published shop 1.0.0" in ran.out
    fields = parts(api.asked[0])
    assert (fields["version"], fields["notes"], fields["author"]) == (b"1.0.0", b"New.", b"ada")
    with tarfile.open(fileobj=io.BytesIO(fields["artifact"])) as archive:
        assert archive.getnames() == ["app.py", "relman.toml", "start", "static", "static/a.css"]
    assert int(api.asked[0].headers["content-length"]) == len(api.asked[0].content)


def test_an_archive_is_sent_as_it_is(run: Run, api: Api, tmp_path: Path) -> None:
    content = os.urandom(700_000)
    (tmp_path / "shop.tar.gz").write_bytes(content)
    api.on(RELEASES, RELEASE, status=201)
    ran = run("--json", "publish", "shop", str(tmp_path / "shop.tar.gz"), "--version", "1.0.0")
    assert ran.json == RELEASE
    assert parts(api.asked[0])["artifact"] == content


@pytest.mark.parametrize("order", [0, 1, 2])
def test_path_and_options_come_in_any_order(run: Run, api: Api, tmp_path: Path, order: int) -> None:
    (tmp_path / "shop.tar.gz").write_bytes(b"not looked at here")
    api.on(RELEASES, RELEASE, status=201)
    path, version = str(tmp_path / "shop.tar.gz"), ("--version", "1.0.0")
    words = [("shop", path, *version), ("shop", *version, path), (*version, "shop", path)][order]
    assert run("publish", *words).code == 0
    assert parts(api.asked[0])["artifact"] == b"not looked at here"
    assert run("publish", "shop", path).code == exits.USAGE
    assert run("publish", "shop", *version, path, "one-too-many").code == exits.USAGE


def test_packing_twice_gives_the_same_bytes(tree: Path) -> None:
    first, _ = packed(tree)
    for path in tree.rglob("*"):
        os.utime(path, (1, 1))
    (tree / "app.py").chmod(0o640)
    assert packed(tree)[0] == first
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        assert {entry.mtime for entry in archive} == {FIXED_TIME}
        assert {entry.uid for entry in archive} == {0}
        assert archive.getmember("start").mode == 0o755


def test_the_commits_time_is_the_files_time(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    with tarfile.open(fileobj=io.BytesIO(packed(tree)[0])) as archive:
        assert archive.getmember("app.py").mtime == 1700000000


def test_what_is_no_part_of_it_stays_out(tree: Path) -> None:
    (tree / "__pycache__").mkdir()
    (tree / ".env").write_text("PASSWORD=x")
    (tree / "static" / "a.map").write_text("")
    (tree / ".relmanignore").write_text("# maps\nstatic/*.map\n")
    content, skipped = packed(tree)
    assert skipped == [".env", "__pycache__", "static/a.map"]
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert ".env" not in archive.getnames()


def test_a_link_that_stays_inside_is_kept(tree: Path) -> None:
    (tree / "static" / "app").symlink_to("../app.py")
    with tarfile.open(fileobj=io.BytesIO(packed(tree)[0])) as archive:
        assert archive.getmember("static/app").linkname == "../app.py"


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "static/../../outside"])
def test_a_link_that_leaves_is_refused(tree: Path, target: str) -> None:
    (tree / "link").symlink_to(target)
    with pytest.raises(Failure, match="outside"):
        packed(tree)


def test_what_is_no_file_is_refused(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with pytest.raises(Failure, match="pipe"):
        packed(tree)


def test_a_directory_without_manifest_says_how_to_get_one(run: Run, api: Api, tmp_path: Path) -> None:
    ran = run("publish", "shop", str(tmp_path), "--version", "1.0.0")
    assert (ran.code, api.asked) == (exits.USAGE, [])
    assert "relman init" in ran.err


@pytest.mark.parametrize("name", ["missing.tar.gz", "shop.exe"])
def test_what_cannot_be_published_is_said(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "shop.exe").write_text("")
    assert run("publish", "shop", str(tmp_path / name), "--version", "1.0.0").code == exits.USAGE


def test_an_upload_that_breaks_is_sent_again_whole(run: Run, api: Api, tree: Path) -> None:
    api.on(RELEASES, status=HANG_UP)
    api.on(RELEASES, RELEASE, status=201)
    assert run("publish", "shop", str(tree), "--version", "1.0.0").code == 0
    first, second = api.asked
    assert first.content == second.content
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


def test_a_refusal_before_the_end_stops_the_upload(run: Run, api: Api, tmp_path: Path) -> None:
    archive = tmp_path / "big.tar.gz"
    with archive.open("wb") as target:
        target.truncate(200_000_000)
    problem = {"title": "Too big", "detail": "It is too big.", "code": "too_big"}
    api.on(RELEASES, problem, status=413, before_body=True)
    ran = run("publish", "shop", str(archive), "--version", "1.0.0")
    assert (ran.code, len(api.asked)) == (exits.USAGE, 1)
    assert "It is too big." in ran.err


def test_another_digest_is_a_conflict(run: Run, api: Api, tree: Path) -> None:
    api.problem(RELEASES, 409, "shop 1.0.0 was published with other bytes.")
    ran = run("publish", "shop", str(tree), "--version", "1.0.0")
    assert ran.code == exits.CONFLICT
    assert "other bytes" in ran.err


def test_commit_and_changes_come_from_git(run: Run, api: Api, tree: Path) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=Ada", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", "-C", str(tree), *who, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "start")
    git("tag", "v0")
    git("commit", "-q", "--allow-empty", "-m", "feat(cart)!: empty it SHOP-12")
    git("commit", "-q", "--allow-empty", "-m", "Tidy", "-m", "Closes #7")
    api.on(RELEASES, RELEASE, status=201)
    assert run("publish", "shop", str(tree), "--version", "1.0.0", "--changes-from-git", "v0..HEAD").code == 0
    fields = parts(api.asked[0])
    assert fields["commit"].decode() == git("rev-parse", "HEAD")
    assert json.loads(fields["changes"]) == [
        {"title": "Tidy", "kind": "", "ticket": "#7", "author": "Ada"},
        {"title": "empty it SHOP-12", "kind": "breaking", "ticket": "SHOP-12", "author": "Ada"},
    ]
    ran = run("publish", "shop", str(tree), "--version", "1.0.0", "--changes-from-git", "nowhere..HEAD")
    assert (ran.code, "nowhere" in ran.err) == (exits.USAGE, True)


def test_changes_and_notes_come_from_files(run: Run, api: Api, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "changes.json").write_text('[{"title": "One"}]')
    (tmp_path / "notes").write_text("Größer.")
    api.on(RELEASES, RELEASE, status=201)
    more = ("--changes", str(tmp_path / "changes.json"), "--notes", f"@{tmp_path / 'notes'}")
    assert run("publish", "shop", str(tree), "--version", "1.0.0", *more).code == 0
    fields = parts(api.asked[0])
    assert fields["notes"].decode() == "Größer."
    assert json.loads(fields["changes"]) == [{"title": "One"}]


@pytest.mark.parametrize("text", ["{", '{"title": "x"}', '[{"kind": "x"}]'])
def test_changes_that_are_none_are_refused_here(run: Run, api: Api, tree: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "changes.json").write_text(text)
    ran = run("publish", "shop", str(tree), "--version", "1.0.0", "--changes", str(tmp_path / "changes.json"))
    assert (ran.code, api.asked) == (exits.USAGE, [])


def test_the_file_is_never_whole_in_memory(tmp_path: Path) -> None:
    archive = tmp_path / "big.tar.gz"
    with archive.open("wb") as target:
        target.truncate(64_000_000)
    body = Upload({"version": "1"}, "artifact", archive, Progress(64_000_000, io.StringIO(), drawn=False))
    tracemalloc.start()
    sent = sum(len(chunk) for chunk in body.chunks())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sent == body.length
    assert peak < 2_000_000


def test_the_bar_shows_bytes_rate_and_time_left() -> None:
    text = line(25_000_000, 100_000_000, 5.0, 80)
    assert text.startswith("[#######----")
    assert "25%" in text
    assert "25.0 MB of 100.0 MB" in text
    assert "5.0 MB/s" in text
    assert "0:15 left" in text
    assert all(len(line(1, 3, 1.0, columns)) < columns for columns in (10, 40, 80, 200))
    assert (size(999), size(1500), size(2.5e9), clock(3725)) == ("999 B", "1.5 kB", "2.5 GB", "1:02:05")


def test_without_a_terminal_there_is_no_bar(run: Run, api: Api, tree: Path) -> None:
    api.on(RELEASES, RELEASE, status=201)
    assert "\x1b" not in run("publish", "shop", str(tree), "--version", "1.0.0").err
