"""`relman init`: the first relman.toml, guessed from what is there. Needs no server."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from relman.cli import exits
from relman.cli.console import Console
from relman.cli.detect import detect, manifest
from relman.cli.failure import Failure, usage


def run(args: Namespace, console: Console) -> int:
    """Write relman.toml into the directory; one that is there stays, unless --force."""
    directory = Path(args.directory)
    if not directory.is_dir():
        raise usage(f"{directory} is not a directory.")
    target = directory / "relman.toml"
    if (target.exists() or target.is_symlink()) and not args.force:
        raise Failure(f"{target} is there already; --force overwrites it.", exits.CONFLICT)
    guess = detect(directory, args.command, args.health)
    target.write_text(manifest(guess), encoding="utf-8")
    if console.as_json:
        console.answer({"path": str(target), **asdict(guess)})
        return exits.OK
    console.say(f"Wrote {target}:")
    for sentence in guess.found:
        console.say(f"  {sentence}")
    if not guess.command:
        console.note("Write the start command into it before you publish.")
    console.note("Next: relman publish APPLICATION --version VERSION")
    return exits.OK
