"""Row 16 of FAULTS: an upload whose web process is killed, and the client's next try."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import io
import os
import random
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.drill import Drill, Report

MB = 1_000_000
PATIENCE = 120.0
"""Seconds that a busy machine may take for one of the waits below."""


def upload_killed(drill: Drill, report: Report, dice: random.Random) -> None:
    """The web process is killed in an upload of 1 GB: no release, leftovers cleaned, the next try works."""
    from phases import tokens
    from releases.models import Release
    from tests.bench.publish import publish
    from tests.web import Web

    shop = drill.world.approving
    robot = shop.actor("ci-robot")
    assert robot.user is not None
    secret = tokens.issue(robot.user, actor=robot, name=f"drill {dice.random()}")[1]
    version, path = f"0.0.1-a{dice.randint(0, 10**9)}", drill.stack.home / "large.tar.gz"
    digest = large(path, (20 if drill.brief else 1000) * MB, dice)
    drill.stack.serve()
    left = killed_half_way(drill, report, secret, version, path)
    if Release.objects.filter(application=shop.application, version=version).exists():
        report.wrong.append("half an upload became a release")
    leftovers_go(report, left)
    port = drill.stack.serve()
    assert drill.stack.web is not None
    publish(Web(drill.stack.web, port), secret, version, path, slug=shop.application.slug)
    kept = Release.objects.get(application=shop.application, version=version).artifacts.get()
    if kept.digest != digest:
        report.wrong.append("the release has a wrong digest")
    path.unlink()
    report.facts["left"] = len(left)


def large(path: Path, size: int, dice: random.Random) -> str:
    """An archive of this size, written in blocks and hardly packed; its SHA-256."""
    manifest, block = b'[run]\ncommand = "python3 app.py"\nhealth = "/healthz"\n', dice.randbytes(MB)
    with gzip.open(path, "wb", compresslevel=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for name, source, length in (
            ("relman.toml", io.BytesIO(manifest), len(manifest)),
            ("data.bin", _Repeated(block), size),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = length
            tar.addfile(entry, source)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Repeated(io.RawIOBase):
    """The same bytes again and again."""

    def __init__(self, block: bytes) -> None:
        self.block = block

    def read(self, size: int = -1) -> bytes:
        return (self.block * (size // len(self.block) + 1))[:size]


def killed_half_way(drill: Drill, report: Report, secret: str, version: str, path: Path) -> list[Path]:
    """Send half of what was promised, kill the web process that writes it; the files that this leaves in staging."""
    staging = drill.stack.home / "artifacts" / "staging"
    before = set(staging.glob("*.part"))
    with half_an_upload(drill, secret, version, path):
        begun = wait_for(lambda: any(one.stat().st_size for one in set(staging.glob("*.part")) - before))
        assert drill.stack.web is not None
        drill.stack.web.kill()
        drill.stack.web.wait()
    report.count("web process kill -9 in an upload")
    left = sorted(set(staging.glob("*.part")) - before)
    if not (begun and left):
        report.wrong.append("the killed web process had no upload in hand: nothing was shown")
    return left


def leftovers_go(report: Report, left: list[Path]) -> None:
    """A file that could still be somebody's stays; one of yesterday goes with a worker's next safety round."""
    from releases import storage

    storage.clean_staging()
    report.wrong += [f"{one.name} was taken away while it could be in use" for one in left if not one.exists()]
    for one in left:
        os.utime(one, (0, 0))
    if not wait_for(lambda: not any(one.exists() for one in left)):
        report.wrong.append("what the dead upload left stays")


@contextlib.contextmanager
def half_an_upload(drill: Drill, secret: str, version: str, path: Path) -> Iterator[None]:
    """A request that has sent half of its file, and waits."""
    size = path.stat().st_size
    head = (
        f'--b\r\nContent-Disposition: form-data; name="version"\r\n\r\n{version}\r\n'
        '--b\r\nContent-Disposition: form-data; name="artifact"; filename="a.tar.gz"\r\n\r\n'
    ).encode()
    line = http.client.HTTPConnection("127.0.0.1", drill.stack.port, timeout=PATIENCE)
    line.putrequest("POST", f"/api/v1/applications/{drill.world.approving.application.slug}/releases/")
    line.putheader("Authorization", f"Bearer {secret}")
    line.putheader("Content-Type", "multipart/form-data; boundary=b")
    line.putheader("Content-Length", str(len(head) + size))
    line.endheaders(head)
    with path.open("rb") as file:
        for _ in range(size // 2 // MB):
            line.send(file.read(MB))
    try:
        yield
    finally:
        line.close()


def wait_for(true: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Whether it came true in time. A file that vanishes meanwhile is looked at again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(FileNotFoundError):
            if true():
                return True
        time.sleep(0.05)
    return False
