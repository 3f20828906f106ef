"""relman.toml: what an application says about itself, read strictly.

[run]            command, health, version (optional)
[configuration]  required: names that every environment must set (optional)
[migrate]        command, reversible (default false), resume: never (default) or idempotent
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from phases.drivers.archive_errors import Findings

NAME = "relman.toml"
LARGEST = 64 * 1024
MOST_DOTS = 200
"""In one line: each dot of a key costs its reader what all those before it cost."""
VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")

Manifest = dict[str, Any]
"""Plain JSON: {"run": {"command", "health", "version"?}, "configuration": {"required": [...]},
"migrate"?: {"command", "reversible", "resume"}}."""

_TABLES = {
    "run": ("command", "health", "version"),
    "configuration": ("required",),
    "migrate": ("command", "reversible", "resume"),
}


def is_reserved(variable: str) -> bool:
    """Whether RelMan itself sets this variable, so that no configuration may."""
    return variable in ("PORT", "HOME") or variable.startswith("RELMAN_")


def read_manifest(data: bytes, findings: Findings) -> Manifest:
    """The manifest with its defaults filled in. Everything that is wrong goes to `findings`."""
    given = _parse(data, findings)
    if given is None:
        return {}
    _unknown(given, _TABLES, "", findings)
    tables = {name: _table(given, name, findings) for name in _TABLES if name in given}
    if "run" not in given:
        findings.add(NAME, "The table [run] is missing.", 'Add [run] with command = "…" and health = "/healthz".')
    manifest: Manifest = {
        "run": _run(tables.get("run"), findings),
        "configuration": {"required": _required(tables.get("configuration") or {}, findings)},
    }
    migrate = tables.get("migrate")
    if migrate is not None:
        manifest["migrate"] = _migrate(migrate, findings)
    return manifest


def _parse(data: bytes, findings: Findings) -> dict[str, Any] | None:
    if any(line.count(b".") > MOST_DOTS for line in data.splitlines()):
        findings.add(NAME, f"A line of it has more than {MOST_DOTS} dots.", "Write it in several lines.")
        return None
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        findings.add(NAME, f"It is not valid TOML in UTF-8: {error}.", "Mend that line.")
        return None


def _unknown(given: Iterable[str], known: Iterable[str], table: str, findings: Findings) -> None:
    known = list(known)
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            cure = f"Did you mean {near[0]!r}?" if near else f"Remove it; known here: {', '.join(known)}."
            findings.add(f"{NAME} {table}".strip(), f"The key {key!r} is unknown.", cure)


def _table(given: Mapping[str, Any], name: str, findings: Findings) -> Mapping[str, Any] | None:
    table = given[name]
    if not isinstance(table, dict):
        findings.add(f"{NAME} [{name}]", "It is not a table.", f"Write [{name}] on a line of its own, its keys below.")
        return None
    _unknown(table, _TABLES[name], f"[{name}]", findings)
    return table


def _run(table: Mapping[str, Any] | None, findings: Findings) -> dict[str, str]:
    if table is None:
        return {}
    run = {"command": _command(table, "run", findings), "health": _path(table, "health", findings)}
    if "version" in table:
        run["version"] = _path(table, "version", findings)
    return run


def _command(table: Mapping[str, Any], name: str, findings: Findings) -> str:
    command = table.get("command")
    if isinstance(command, str) and command.strip() and len(command) <= 4096:
        if all(c.isprintable() or c in "\n\t" for c in command):
            return command
        problem = "has control characters"
    else:
        problem = "is missing" if command is None else "must be a text of 1 to 4096 characters"
    findings.add(f"{NAME} [{name}]", f"The key 'command' {problem}.", 'Write, for example: command = "python3 app.py"')
    return ""


def _path(table: Mapping[str, Any], key: str, findings: Findings) -> str:
    path = table.get(key)
    if isinstance(path, str) and re.fullmatch(r"/(?!/)[\x21\x22\x24-\x7e]{0,511}|/", path):
        return path
    problem = "is missing" if path is None else "must be a path that starts with one slash, without spaces"
    findings.add(f"{NAME} [run]", f"The key {key!r} {problem}.", f'Write, for example: {key} = "/{key}"')
    return ""


def _required(table: Mapping[str, Any], findings: Findings) -> list[str]:
    names = table.get("required", [])
    place = f"{NAME} [configuration]"
    if not isinstance(names, list) or len(names) > 500:
        findings.add(place, "The key 'required' must be a list of at most 500 names.", 'Write: required = ["GREETING"]')
        return []
    for name in names:
        if not isinstance(name, str) or not VARIABLE.match(name) or name.endswith("\n"):
            findings.add(place, f"{name!r} cannot be the name of a variable.", "Use letters, digits and underscores.")
        elif is_reserved(name):
            findings.add(place, f"{name} is set by RelMan itself.", "Remove it from the list.")
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def _migrate(table: Mapping[str, Any], findings: Findings) -> dict[str, Any]:
    reversible, resume = table.get("reversible", False), table.get("resume", "never")
    if not isinstance(reversible, bool):
        findings.add(f"{NAME} [migrate]", "The key 'reversible' must be true or false.", "Write: reversible = true")
    if resume not in ("never", "idempotent"):
        findings.add(
            f"{NAME} [migrate]",
            "The key 'resume' must be never or idempotent.",
            'Write resume = "idempotent" only if the command may run twice.',
        )
    return {"command": _command(table, "migrate", findings), "reversible": reversible, "resume": resume}
