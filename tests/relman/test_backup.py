"""Backup and restore, with PostgreSQL's own programs: into an empty installation, and the same board comes back."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from phases import actions as places
from releases import dispatch, storage
from releases.engine import runner, sweep
from releases.models import Promotion
from relman.audit import chain
from relman.backup import BackupError, keys, taking
from relman.embedded import folders
from tests import factories
from tests.web import database_url

pytestmark = pytest.mark.timeout(600)
"""Each starts a dozen processes."""
ROOT = Path(__file__).resolve().parents[2]
BOARD = """
import django; django.setup()
from releases import queries
from relman.actors import Actor
from phases.models import User
print(repr(queries.board(Actor(User.objects.get(username="admin"), "page"))))
"""
TICK = """
import sys, django; django.setup()
from releases import dispatch
dispatch.ring_now = lambda number: None
from releases.engine import runner
from releases.models import Promotion
for _ in range(20):
    runner.tick(int(sys.argv[1]))
print(Promotion.objects.get(pk=int(sys.argv[1])).status)
"""
FACTS = """
import sys, json, django; django.setup()
from releases.models import Promotion
from phases.models import Lock, Environment
one = Promotion.objects.get(pk=int(sys.argv[1]))
locks = list(Lock.objects.filter(released_at=None).values_list("reason", flat=True))
epoch = Environment.objects.get(pk=one.environment_id).epoch
print(json.dumps({"status": one.status, "reason": one.reason, "locks": locks, "epoch": epoch}))
"""


@dataclass
class Other:
    """Another installation: a database and a data directory of its own, reached by commands only."""

    home: Path
    url: str

    def run(self, *words, check=True):
        variables = {**os.environ, "RELMAN_HOME": str(self.home), "DATABASE_URL": self.url}
        variables.pop("RELMAN_SECRETS_KEY_FILE", None)
        command = [sys.executable, *words]
        done = subprocess.run(command, cwd=ROOT, env={**variables, **self.more}, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def manage(self, *words, check=True):
        return self.run("manage.py", *map(str, words), check=check)

    def ask(self, script, *words):
        return self.run(
            "-c", "import os; os.environ['DJANGO_SETTINGS_MODULE']='relman.settings'" + script, *map(str, words)
        )

    @property
    def more(self):
        return {"LOG_LEVEL": "ERROR", "SECRET_KEY": settings.SECRET_KEY}


@pytest.fixture
def shop(transactional_db, monkeypatch):
    monkeypatch.setattr(dispatch, "ring_now", lambda number: None)
    monkeypatch.setattr(sweep, "ring_now", lambda number: None)
    return factories.shop()


@pytest.fixture
def empty(tmp_path):
    """An empty database on the tests' server, and an empty data directory."""
    name = f"restored_{uuid.uuid4().hex[:10]}"
    here = database_url(connection.settings_dict)
    admin = here.rsplit("/", 1)[0]
    with psycopg.connect(f"{admin}/postgres".replace("postgres://", "postgresql://"), autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        home = tmp_path / "restored"
        folders.prepare(home)
        yield Other(home, f"{admin}/{name}")
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def here(tmp_path):
    return Other(Path(settings.HOME), database_url(connection.settings_dict))


def take(folder, **options):
    said: list[str] = []
    return taking.take(folder, say=said.append, **options), said


def busy(shop):
    """Something live, something that waits for approvals, a secret."""
    places.set_configuration(
        shop.environments["dev"], {"TOKEN": {"value": "very-secret", "secret": True}}, actor=shop.actor("devops")
    )
    release = shop.release("1.0.0")
    shop.bring(release, "dev", "qa", "stage")
    shop.ask(release, "live")
    shop.bring(shop.release("1.1.0"), "dev")
    return release


def targets(empty):
    """The targets are as the backup's moment left them."""
    shutil.copytree(Path(settings.HOME) / "scripted", empty.home / "scripted", dirs_exist_ok=True)


def test_the_same_board_comes_back(shop, empty, tmp_path):
    busy(shop)
    manifest, _ = take(tmp_path / "backup", keys_file=tmp_path / "elsewhere" / "keys.json")
    board = here(tmp_path).ask(BOARD).stdout
    targets(empty)
    said = empty.manage("restore", tmp_path / "backup", "--keys", tmp_path / "elsewhere" / "keys.json").stdout
    assert "Restored." in said
    assert empty.ask(BOARD).stdout == board
    assert "1.1.0" in board
    checked = empty.manage("doctor", "--no-gateway").stdout
    assert checked.count("well ") == 5
    assert "It is whole" in checked
    for one in manifest["artifacts"]:
        assert storage.hash_of(empty.home / "artifacts" / storage.relative(one["digest"])) == one["digest"]


def test_a_backup_is_whole_and_says_what_it_holds(shop, tmp_path):
    busy(shop)
    manifest, _ = take(tmp_path / "backup", keys_file=tmp_path / "keys.json")
    assert sorted(path.name for path in (tmp_path / "backup").iterdir()) == [
        "artifacts",
        "database.dump",
        "manifest.json",
    ]
    assert manifest["counts"]["releases_release"] == 2
    assert manifest["audit"]["sequence"] == manifest["counts"]["audit_event"]
    assert chain.verify(manifest["audit"]) is None
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    text = b"".join(path.read_bytes() for path in (tmp_path / "backup").rglob("*") if path.is_file())
    for key in settings.SECRETS_KEYS:
        assert key.encode() not in text
    assert b"very-secret" not in text
    with pytest.raises(BackupError, match="not empty"):
        take(tmp_path / "backup")
    with pytest.raises(BackupError, match="Keep it elsewhere"):
        take(tmp_path / "other", keys_file=tmp_path / "other" / "keys.json")
    assert not (tmp_path / "other").exists()


def begun(shop, monkeypatch, *, resume="idempotent"):
    """A promotion of three steps: the first is done, and a worker has it in hand."""
    steps = [{"do": "noop"}, {"do": "noop", "resume": resume}, {"do": "noop"}]
    places.edit_environment(
        shop.environments["dev"], actor=shop.actor("devops"), settings={**factories.SCRIPT, "steps": steps}
    )
    shop.environments["dev"].refresh_from_db()
    promotion = shop.ask(shop.release("2.0.0"), "dev")
    one = runner.Visit.one
    monkeypatch.setattr(runner.Visit, "one", lambda visit, step: one(visit, step) and False)
    straight_on = runner.Visit.straight_on
    monkeypatch.setattr(runner.Visit, "straight_on", lambda visit, step: None)
    runner.tick(promotion.pk)
    monkeypatch.setattr(runner.Visit, "one", one)
    monkeypatch.setattr(runner.Visit, "straight_on", straight_on)
    promotion.refresh_from_db()
    assert [step.status for step in promotion.steps.all()][:2] == ["succeeded", "pending"]
    return promotion


def ledger(home, promotion):
    path = Path(home) / "scripted" / str(promotion.environment_id) / "ledger.jsonl"
    return [entry["effect"] for entry in map(json.loads, path.read_text().splitlines()) if entry["what"] == "noop"]


def test_what_was_running_goes_on_and_does_nothing_twice(shop, empty, tmp_path, monkeypatch):
    promotion = begun(shop, monkeypatch)
    take(tmp_path / "backup")
    targets(empty)
    said = empty.manage("restore", tmp_path / "backup").stdout
    assert f"Promotion {promotion.pk} (Shop 2.0.0 to Dev) goes on where the backup found it." in said
    assert empty.ask(TICK, promotion.pk).stdout.split()[-1] == "succeeded"
    effects = ledger(empty.home, promotion)
    assert len(effects) == len(set(effects)) == 3


def test_what_went_on_after_the_backup_waits_for_a_person(shop, empty, tmp_path, monkeypatch):
    promotion = begun(shop, monkeypatch)
    take(tmp_path / "backup")
    Promotion.objects.filter(pk=promotion.pk).update(lease_until=promotion.requested_at)
    assert factories.run(promotion).status == "succeeded"
    targets(empty)
    before = ledger(empty.home, promotion)
    said = empty.manage("restore", tmp_path / "backup").stdout
    assert "Shop in Dev waits for a person: its target is ahead of the backup." in said
    assert empty.ask(TICK, promotion.pk).stdout.split()[-1] == "errored"
    assert ledger(empty.home, promotion) == before
    facts = json.loads(empty.ask(FACTS, promotion.pk).stdout)
    assert facts["reason"].endswith("Say whether this promotion is done or failed.")
    assert len(facts["locks"]) == 1
    assert facts["epoch"] == 2
    doctor = empty.manage("doctor", "--no-gateway", check=False)
    assert doctor.returncode == 1
    assert "Shop in Dev: the target has seen more than the record knows." in doctor.stdout


def test_a_step_that_runs_only_once_waits_for_a_person_too(shop, empty, tmp_path, monkeypatch):
    promotion = begun(shop, monkeypatch, resume="never")
    take(tmp_path / "backup")
    targets(empty)
    empty.manage("restore", tmp_path / "backup")
    facts = json.loads(empty.ask(FACTS, promotion.pk).stdout)
    assert facts["status"] == "errored"
    assert "may have gone on" in facts["reason"]


def test_other_keys_are_refused(shop, empty, tmp_path):
    take(tmp_path / "backup")
    empty_keys = {"SECRET_KEY": "other", "RELMAN_SECRETS_KEY": settings.SECRETS_KEYS[0]}
    (tmp_path / "wrong.json").write_text(json.dumps(empty_keys))
    done = empty.manage("restore", tmp_path / "backup", "--keys", tmp_path / "wrong.json", check=False)
    assert done.returncode == 1
    assert "other keys" in done.stderr
    assert not keys.opens(empty_keys, keys.marks(keys.today()))


def test_only_an_empty_installation_takes_a_whole_backup(shop, empty, tmp_path):
    busy(shop)
    manifest, _ = take(tmp_path / "backup")
    refused = here(tmp_path).manage("restore", tmp_path / "backup", check=False)
    assert "in use" in refused.stderr or "not empty" in refused.stderr
    damaged = tmp_path / "backup" / "artifacts" / storage.relative(manifest["artifacts"][0]["digest"])
    content = damaged.read_bytes()
    damaged.unlink()
    damaged.write_bytes(content[:-1] + b"!")
    refused = empty.manage("restore", tmp_path / "backup", check=False)
    assert refused.returncode == 1
    assert "damaged" in refused.stderr
    damaged.write_bytes(content)
    (tmp_path / "backup" / "database.dump").write_bytes(b"nothing")
    assert "damaged" in empty.manage("restore", tmp_path / "backup", check=False).stderr
