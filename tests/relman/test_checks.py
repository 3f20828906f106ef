"""`manage.py check --deploy`: nothing where all is set, else one sentence for each thing that is set wrong."""

from __future__ import annotations

import os
import subprocess
import sys

from cryptography.fernet import Fernet

from tests.installation import ROOT

SET = {
    "SECRET_KEY": "long-and-made-by-chance-" * 3,
    "RELMAN_SECRETS_KEY": Fernet.generate_key().decode(),
    "RELMAN_URL_PUBLIC": "https://relman.example.org",
    "RELMAN_ALLOWED_HOSTS": "relman.example.org",
}


def check(**more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("RELMAN_", "SECRET_"))}
    environment = {**clean, **SET, **more, "RELMAN_HOME": os.environ["RELMAN_HOME"]}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_an_installation_that_is_set_up_hears_nothing() -> None:
    done = check()
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_what_is_set_wrong_is_said_with_what_to_do() -> None:
    done = check(RELMAN_SECRETS_KEY="none", RELMAN_RETENTION="weekly")
    assert done.returncode == 1
    assert "RELMAN_SECRETS_KEY holds something that is not a Fernet key." in done.stderr
    assert "RELMAN_RETENTION is “weekly”" in done.stderr
    assert done.stderr.count("HINT") == 2
