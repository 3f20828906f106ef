"""PostgreSQL's disk is full: a clear failure, what is live stays, and all works again when there is room."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web import ROOT

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults"), pytest.mark.timeout(900)]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 160 MB: an empty PostgreSQL needs half of it."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_17_a_full_disk_of_the_database_is_said_and_survived(small: Path) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RELMAN_", "PYTEST_", "DATABASE", "BROKER"))}
    command = [sys.executable, "-m", "tests.faults.disk", str(small)]
    ran = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["before"] == "succeeded"
    assert found["refused"] is not None, "the full disk was not felt"
    status, document = found["refused"]
    assert status in (503, 507) and document["detail"]
    assert found["serves"]
    assert found["after"] == "succeeded"
    assert found["wrong"] == []
