"""From the command line to an exit code: parse, load the one module that is wanted, tell troubles in sentences."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from relman.cli import exits
from relman.cli.arguments import parser
from relman.cli.client import Client
from relman.cli.console import Console
from relman.cli.failure import Failure, usage


def run(argv: Sequence[str] | None = None) -> int:
    """Do what the command line asks. Never raises but for a wrong command line (argparse exits with 2)."""
    args = parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without Unicode must not end the command
    console = Console(as_json=args.json)
    try:
        return _dispatch(args, console)
    except Failure as failure:
        return _told(failure, console, _address(args))
    except KeyboardInterrupt:
        console.note("Interrupted. What RelMan has accepted goes on; `relman status` shows it.")
        return exits.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that closing stdout at exit does not complain again
        return exits.BROKEN_PIPE
    except OSError as error:
        return _told(Failure(f"{error.filename or 'The machine'}: {error.strerror or error}."), console)


def _dispatch(args: Namespace, console: Console) -> int:
    module, _, function = str(args.handler).partition(":")
    handler = getattr(import_module(f"relman.cli.commands.{module}"), function)
    code = handler(args, console) if args.offline else handler(args, console, connect(args, console))
    return int(code)


def _told(failure: Failure, console: Console, address: str = "") -> int:
    """The sentences on stderr; with --json also the problem document on stdout."""
    console.note(failure.sentence)
    if failure.problem and failure.problem.get("verdicts"):
        from relman.cli.verdicts import note_verdicts

        note_verdicts(failure.problem["verdicts"], console, address)
    if console.as_json:
        console.answer(failure.document())
    return failure.code


def connect(args: Namespace, console: Console) -> Client:
    """The client for the address and token of this call; a missing one is said before anything is sent."""
    url = _address(args)
    if not url:
        raise usage("Where is RelMan? Set RELMAN_URL (or --url) to its address, like https://relman.example.org.")
    client = Client(url, token(args), note=console.note)
    if not client.place.secure and not _near(client.place.host):
        console.note(f"Careful: the token goes to {client.url} unencrypted. Use https where you can.")
    return client


def _address(args: Namespace) -> str:
    return str(args.url or os.environ.get("RELMAN_URL", "")).rstrip("/")


def token(args: Namespace) -> str:
    """From --token-file, RELMAN_TOKEN or RELMAN_TOKEN_FILE; never from the command line, where others can read it."""
    named = args.token_file or (None if os.environ.get("RELMAN_TOKEN") else os.environ.get("RELMAN_TOKEN_FILE"))
    if named:
        try:
            text = Path(named).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise usage(f"The token file {named} cannot be read: {getattr(error, 'strerror', error)}.") from None
    else:
        text = os.environ.get("RELMAN_TOKEN", "").strip()
    if not text:
        raise Failure(
            "Who are you? Set RELMAN_TOKEN, or name a file with --token-file. A token is made on your account's page.",
            exits.UNAUTHENTICATED,
        )
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise Failure("The token is not one: it must be one word without spaces.", exits.UNAUTHENTICATED)
    return text


def _near(host: str) -> bool:
    return host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost")
