"""Looks at a directory and guesses its manifest: how the application starts, where its health is, which keys it needs.

Guesses are shown to a person, who corrects them in the file; so it looks for the obvious and leaves the rest open.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCES = (".py", ".js", ".mjs", ".ts", ".go", ".rb", ".php", ".java", ".rs", ".ex", ".sh")
NOT_LOOKED_INTO = ("node_modules", ".git", ".venv", "venv", "__pycache__", "dist", "build", "tests", "test")
MOST_FILES = 300
LARGEST_SOURCE = 200_000  # bytes
HEALTHS = ("/healthz", "/health", "/livez", "/readyz", "/-/health", "/ping", "/up")
SCRIPTS = ("app.py", "main.py", "server.py", "run.py", "wsgi.py")
NEEDED = re.compile(r"""os\.environ\[\s*["']([A-Za-z_][A-Za-z0-9_]*)["']\s*\](?!\s*=[^=])""")
GIVEN = re.compile(r"^(PORT|PATH|HOME|USER|LANG|TMPDIR|RELMAN_.*)$")
NO_COMMAND = "echo 'Write the start command into relman.toml.' >&2; exit 1"


@dataclass(frozen=True)
class Guess:
    """What a manifest says; `found` are sentences on where each part was seen."""

    command: str
    health: str
    version: str
    required: list[str]
    migrate: str
    found: list[str]


def detect(directory: Path, command: str | None = None, health: str | None = None) -> Guess:
    """The guess for a directory; what is given is taken as it is."""
    text = "\n".join(_sources(directory))
    start, seen = (command, "as given") if command else _command(directory)
    served = start.startswith("python3 -m http.server")
    where = health or ("/" if served else _path(text, HEALTHS) or "/")
    migrate = _migrate(directory)
    found = [f"start: {start or 'not found'} ({seen})", f"health: {where}"]
    found += [f"migrate: {migrate}"] if migrate else []
    required = sorted({key for key in NEEDED.findall(text) if not GIVEN.match(key)})
    found += [f"needs: {', '.join(required)}"] if required else []
    return Guess(start, where, _path(text, ("/version",)) or "", required, migrate, found)


def manifest(guess: Guess) -> str:
    """The text of the relman.toml."""
    lines = ["[run]", "# Run by /bin/sh -c in the unpacked archive; must listen on 127.0.0.1:$PORT."]
    lines += [f"command = {_quoted(guess.command or NO_COMMAND)}"]
    lines += [f"health = {_quoted(guess.health)}            # must answer 2xx when the application is well"]
    sign, version = ("", guess.version) if guess.version else ("# ", "/version")
    lines += [f"{sign}version = {_quoted(version)}        # optional: must answer RELMAN_VERSION as text"]
    keys = ", ".join(_quoted(key) for key in guess.required)
    lines += ["", "[configuration]", f"required = [{keys}]  # keys that every environment must set"]
    if guess.migrate:
        lines += ["", "[migrate]", f"command = {_quoted(guess.migrate)}"]
        lines += ["reversible = false  # true when the release before still works after it: the way back needs that"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A basic string of TOML (its escapes are JSON's)."""
    return json.dumps(text, ensure_ascii=False)


def _sources(directory: Path) -> Iterator[str]:
    """Texts of the sources, a bounded number of them."""
    count = 0
    for place, folders, names in os.walk(directory):
        folders[:] = sorted(folder for folder in folders if folder not in NOT_LOOKED_INTO)
        for name in sorted(names):
            path = Path(place, name)
            if not name.endswith(SOURCES) or path.is_symlink() or path.stat().st_size > LARGEST_SOURCE:
                continue
            count += 1
            if count > MOST_FILES:
                return
            yield path.read_text(errors="replace")


def _path(text: str, paths: tuple[str, ...]) -> str | None:
    """The first of `paths` that the sources hold as a string of its own."""
    return next((path for path in paths if re.search(rf"""["'`]/?{re.escape(path.lstrip("/"))}/?["'`]""", text)), None)


def _command(directory: Path) -> tuple[str, str]:
    """How it starts, and where that was seen."""
    for look in (_procfile, _django, _package, _framework, _script, _static):
        found = look(directory)
        if found:
            return found
    return "", "nothing known was found; write it yourself"


def _procfile(directory: Path) -> tuple[str, str] | None:
    found = re.search(r"^web:\s*(.+)$", _text(directory / "Procfile"), re.MULTILINE)
    return (found[1].strip(), "Procfile") if found else None


def _django(directory: Path) -> tuple[str, str] | None:
    found = re.search(r"DJANGO_SETTINGS_MODULE\W+([\w.]+?)(\.settings)?[\"']", _text(directory / "manage.py"))
    if not found:
        return None
    if "gunicorn" in _requirements(directory):
        return f"gunicorn {found[1]}.wsgi --bind 127.0.0.1:$PORT", "manage.py and gunicorn"
    return "python3 manage.py runserver --noreload 127.0.0.1:$PORT", "manage.py"


def _package(directory: Path) -> tuple[str, str] | None:
    try:
        package = json.loads(_text(directory / "package.json") or "{}")
    except ValueError:
        return None
    if isinstance(package, dict) and "start" in (package.get("scripts") or {}):
        return "npm start", "package.json"
    script = next((name for name in ("server.js", "index.js", "app.js") if (directory / name).is_file()), None)
    return (f"node {script}", script) if script else None


def _framework(directory: Path) -> tuple[str, str] | None:
    """A module that makes an application object and does not start itself."""
    for name in SCRIPTS:
        text, module = _text(directory / name), name.removesuffix(".py")
        made = re.search(r"^(\w+)\s*=\s*(FastAPI|Starlette|Flask)\(", text, re.MULTILINE)
        if not made or "__main__" in text:
            continue
        if made[2] == "Flask":
            return f"python3 -m flask --app {module}:{made[1]} run --host 127.0.0.1 --port $PORT", name
        return f"python3 -m uvicorn {module}:{made[1]} --host 127.0.0.1 --port $PORT", name
    return None


def _script(directory: Path) -> tuple[str, str] | None:
    name = next((name for name in SCRIPTS if (directory / name).is_file()), None)
    return (f"python3 {name}", name) if name else None


def _static(directory: Path) -> tuple[str, str] | None:
    if not (directory / "index.html").is_file():
        return None
    return "python3 -m http.server $PORT --bind 127.0.0.1", "index.html"


def _migrate(directory: Path) -> str:
    if (directory / "manage.py").is_file():
        return "python3 manage.py migrate --noinput"
    return "python3 migrate.py" if (directory / "migrate.py").is_file() else ""


def _requirements(directory: Path) -> str:
    return _text(directory / "requirements.txt") + _text(directory / "pyproject.toml")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")[:LARGEST_SOURCE]
    except OSError:
        return ""
