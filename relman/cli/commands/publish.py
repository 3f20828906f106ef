"""`relman publish`: pack if it is a directory, then stream the archive to RelMan."""

from __future__ import annotations

import json
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from relman.cli import exits, git
from relman.cli.client import Client, segment
from relman.cli.console import Console, text_of
from relman.cli.failure import usage
from relman.cli.pack import pack
from relman.cli.progress import Progress, size
from relman.cli.upload import Upload

ENDINGS = (".tar.gz", ".tgz", ".zip")
CHECK_SECONDS = 600.0  # RelMan reads the whole archive before it answers


def run(args: Namespace, console: Console, client: Client) -> int:
    """Publish one release. The same version and bytes again is no error; other bytes under that version are (6)."""
    path = Path(args.path)
    fields = _fields(args, path)
    with _archive(args, path, console) as archive:
        progress = Progress(archive.stat().st_size, console.err, drawn=console.live)
        try:
            body = Upload(fields, "artifact", archive, progress)
            address = f"applications/{segment(args.application)}/releases/"
            release = client.post(address, body, patience=CHECK_SECONDS)
        finally:
            progress.clear()
        return _told(args, release, archive.stat().st_size, console)


def _told(args: Namespace, release: dict[str, Any], count: int, console: Console) -> int:
    if console.as_json:
        console.answer(release)
        return exits.OK
    digest = f", {release['digest']}" if release.get("digest") else ""
    console.say(f"Published {args.application} {text_of(release.get('version'))} ({size(count)}{digest}).")
    console.note(f"Nothing runs yet. Next: relman promote {args.application} {args.version} PHASE")
    return exits.OK


def _fields(args: Namespace, path: Path) -> dict[str, str]:
    """The text fields of the request; what is empty is left out."""
    place = path if path.is_dir() else path.absolute().parent
    changes = _changes(args, place)
    fields = {
        "version": args.version,
        "notes": _notes(args.notes),
        "commit": git.commit(place) if args.commit is None else args.commit,
        "author": args.author or "",
        "changes": json.dumps(changes, ensure_ascii=False) if changes else "",
    }
    return {name: value for name, value in fields.items() if value}


def _notes(given: str | None) -> str:
    if given == "@-":
        return sys.stdin.read()
    if given and given.startswith("@"):
        return _read(Path(given[1:]))
    return given or ""


def _changes(args: Namespace, place: Path) -> list[Any]:
    if args.changes_from_git:
        return list(git.changes(place, args.changes_from_git))
    if not args.changes:
        return []
    try:
        changes = json.loads(_read(Path(args.changes)))
    except ValueError as error:
        raise usage(f"{args.changes} is not JSON: {error}.") from None
    if not isinstance(changes, list) or not all(isinstance(change, dict) and change.get("title") for change in changes):
        raise usage(f"{args.changes} must hold a list of changes like {{'title': ..., 'kind': ..., 'ticket': ...}}.")
    return changes


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise usage(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


@contextmanager
def _archive(args: Namespace, path: Path, console: Console) -> Iterator[Path]:
    """The archive to send: the one that was named, or the directory packed into one that goes away afterwards."""
    if path.is_file():
        if not path.name.endswith(ENDINGS):
            raise usage(f"{path} is neither a .tar.gz nor a .zip. Name a directory and it is packed for you.")
        yield path
        return
    if not path.is_dir():
        raise usage(f"{path} does not exist. Name an archive (.tar.gz, .zip) or a directory.")
    with tempfile.TemporaryDirectory(prefix="relman-") as room:
        packed = Path(args.pack) if args.pack else Path(room) / "artifact.tar.gz"
        with packed.open("wb") as target:
            skipped = pack(path, target)
        console.note(f"Packed {path} into {size(packed.stat().st_size)}." + _skipped(skipped))
        yield packed


def _skipped(names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f" Left out: {', '.join(names[:5])}{more}."
