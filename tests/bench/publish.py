"""Publishing a large artifact through a real web process, beside its floor: hashing and copying the same file.

    python -m tests.bench.publish [--megabytes 100]

Prints the seconds of both and how much memory the web process took for it. Fails above 50 MB.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import io
import json
import os
import sys
import tarfile
import time
from pathlib import Path

from relman.embedded.throwaway import enter, stack
from tests.web import Web, web

MB = 1_000_000
MOST = 50 * MB
RUNS = 3


def main() -> int:
    """Measure and print; 1 when the web process took too much."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--megabytes", type=int, default=100)
    wanted = options.parse_args()
    with stack() as variables:
        enter(variables)
        token, home = prepare(), Path(variables["RELMAN_HOME"])
        with web({}, home / "log" / "web.log") as server:
            return compare(server, token, home, wanted.megabytes)


def prepare() -> str:
    """A world to publish into; the token of whoever may."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "relman.settings"
    import django

    django.setup()
    from django.core.management import call_command

    from phases import tokens
    from relman.actors import Actor
    from tests import factories

    call_command("migrate", verbosity=0)
    user = factories.shop().actor("ci-robot").user
    assert user is not None
    return tokens.issue(user, actor=Actor(user, "page"), name="bench")[1]


def compare(server: Web, token: str, home: Path, megabytes: int) -> int:
    """Publish a small one first, then large ones: the extra memory is what the size costs."""
    publish(server, token, "0.0.1", artifact(home / "small.tar.gz", 1))
    before, took, floors, peak = server.memory(), [], [], 0
    for run in range(RUNS):
        source = artifact(home / f"large-{run}.tar.gz", megabytes * MB)
        server.forget_peak()
        floors.append(floor(source, home / "copy"))
        took.append(publish(server, token, f"1.0.{run}", source))
        peak = max(peak, server.memory("VmHWM"))
        source.unlink()
    extra = peak - before
    print(f"publish {megabytes} MB: {min(took):.2f} s; hash and copy of the same file: {min(floors):.2f} s")
    print(f"web process: {before / MB:.0f} MB before, {peak / MB:.0f} MB at most: +{extra / MB:.0f} MB")
    return int(extra > MOST)


def artifact(path: Path, size: int) -> Path:
    """An archive that does not compress, with a manifest."""
    manifest = b'[run]\ncommand = "python3 app.py"\nhealth = "/healthz"\n'
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, data in (("relman.toml", manifest), ("data.bin", os.urandom(size))):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def floor(source: Path, target: Path) -> float:
    """Seconds to hash and copy a file, to the disk."""
    began = time.perf_counter()
    digest = hashlib.sha256()
    with source.open("rb") as reading, target.open("wb") as writing:
        while block := reading.read(1 << 18):
            digest.update(block)
            writing.write(block)
        os.fsync(writing.fileno())
    return time.perf_counter() - began


def publish(server: Web, token: str, version: str, source: Path, *, slug: str = "shop") -> float:
    """Seconds until RelMan has answered 201."""
    head = (
        f'--relman-boundary-7f3a\r\nContent-Disposition: form-data; name="version"\r\n\r\n{version}\r\n'
        '--relman-boundary-7f3a\r\nContent-Disposition: form-data; name="artifact"; filename="a.tar.gz"\r\n\r\n'
    ).encode()
    tail = b"\r\n--relman-boundary-7f3a--\r\n"
    began = time.perf_counter()
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    line.putrequest("POST", f"/api/v1/applications/{slug}/releases/")
    line.putheader("Authorization", f"Bearer {token}")
    line.putheader("Content-Type", "multipart/form-data; boundary=relman-boundary-7f3a")
    line.putheader("Content-Length", str(len(head) + source.stat().st_size + len(tail)))
    line.endheaders(head)
    with source.open("rb") as reading:
        while block := reading.read(1 << 18):
            line.send(block)
    line.send(tail)
    answer = line.getresponse()
    document = json.loads(answer.read())
    if answer.status != 201:
        raise RuntimeError(f"{answer.status}: {document}")
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
