"""The first relman.toml: valid, guessed from what is there, never over one that is there."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from relman.cli import exits
from tests.cli.conftest import Run

PYTHON = """
import os
greeting = os.environ["GREETING"]
port = int(os.environ["PORT"])
os.environ["TZ"] = "UTC"
paths = {"/healthz": ok, "/version": version}
"""


def written(run: Run, directory: Path, *more: str) -> dict[str, dict[str, object]]:
    """The manifest that init writes for a directory."""
    assert run("init", str(directory), *more).code == 0
    return tomllib.loads((directory / "relman.toml").read_text())


def test_a_python_script(run: Run, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(PYTHON)
    (tmp_path / "migrate.py").write_text("")
    manifest = written(run, tmp_path)
    assert manifest["run"] == {"command": "python3 app.py", "health": "/healthz", "version": "/version"}
    assert manifest["configuration"] == {"required": ["GREETING"]}
    assert manifest["migrate"] == {"command": "python3 migrate.py", "reversible": False}


@pytest.mark.parametrize(
    ("name", "text", "command"),
    [
        ("Procfile", "web: gunicorn shop -b 127.0.0.1:$PORT\n", "gunicorn shop -b 127.0.0.1:$PORT"),
        ("package.json", json.dumps({"scripts": {"start": "node ."}}), "npm start"),
        ("server.js", "", "node server.js"),
        ("index.html", "", "python3 -m http.server $PORT --bind 127.0.0.1"),
        ("main.py", "api = FastAPI()\n", "python3 -m uvicorn main:api --host 127.0.0.1 --port $PORT"),
        ("app.py", "app = Flask(__name__)\n", "python3 -m flask --app app:app run --host 127.0.0.1 --port $PORT"),
        (
            "manage.py",
            'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")',
            "python3 manage.py runserver --noreload 127.0.0.1:$PORT",
        ),
    ],
)
def test_obvious_things_are_detected(run: Run, tmp_path: Path, name: str, text: str, command: str) -> None:
    (tmp_path / name).write_text(text)
    assert written(run, tmp_path)["run"]["command"] == command


def test_of_an_empty_directory_it_says_what_is_missing(run: Run, tmp_path: Path) -> None:
    ran = run("init", str(tmp_path))
    assert ran.code == 0
    assert "Write the start command" in ran.err
    assert tomllib.loads((tmp_path / "relman.toml").read_text())["run"]["health"] == "/"


def test_what_is_given_is_taken(run: Run, tmp_path: Path) -> None:
    manifest = written(run, tmp_path, "--command", 'sh -c "./serve \\"$PORT\\""', "--health", "/ok")
    assert manifest["run"] == {"command": 'sh -c "./serve \\"$PORT\\""', "health": "/ok"}


def test_it_never_overwrites_without_force(run: Run, tmp_path: Path) -> None:
    (tmp_path / "relman.toml").write_text("mine")
    ran = run("init", str(tmp_path))
    assert (ran.code, (tmp_path / "relman.toml").read_text()) == (exits.CONFLICT, "mine")
    assert run("init", str(tmp_path), "--force").code == 0
    assert (tmp_path / "relman.toml").read_text() != "mine"


def test_it_needs_no_server(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELMAN_URL")
    monkeypatch.delenv("RELMAN_TOKEN")
    assert run("init", str(tmp_path), "--json").json["path"] == str(tmp_path / "relman.toml")
