"""The command line: every command, its arguments, and which function answers it.

Handlers are named, not imported: `relman --help` and completion stay as fast as argparse itself.
"""

from __future__ import annotations

import argparse
from typing import Any

DESCRIPTION = "Publish releases and move them through their phases, from a shell or from CI."
EPILOG = """\
RELMAN_URL      address of RelMan, like https://relman.example.org (or --url)
RELMAN_TOKEN    token of your account (or RELMAN_TOKEN_FILE, or --token-file)

exit codes: 0 done · 2 wrong call or request · 3 no or bad token · 4 right missing · 5 not found · 6 refused or wrong
state · 7 unreachable · end of a promotion: 10 failed · 11 errored · 12 rejected · 13 cancelled · 14 aborted ·
15 expired · 16 superseded · 20 still moving when --timeout was over
"""
LONG_NUMBER = 36  # characters of a UUID


class Command(argparse.ArgumentParser):
    """Takes options before, between and after the words it works on.

    argparse alone fills an optional word ([PATH]) with nothing as soon as an option stands before it.
    """

    _mixing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, but for a command without commands of its own in any order."""
        if self._mixing or self._subparsers is not None:
            return super().parse_known_args(args, namespace)
        self._mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False


class Commands:
    """Adds commands to the parser; all take the common options, before or after the command's name."""

    def __init__(self, top: argparse.ArgumentParser) -> None:
        self._adder = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Command)

    def add(self, name: str, handler: str, text: str, *, offline: bool = False) -> argparse.ArgumentParser:
        """A command whose `handler` is "module:function" below relman.cli.commands."""
        command = self._adder.add_parser(name, help=text, description=text, allow_abbrev=False)
        _common(command)
        command.set_defaults(handler=handler, offline=offline)
        return command


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="relman",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action=Version, help="print the version of this command")
    _common(top)
    top.set_defaults(json=False, url=None, token_file=None)
    commands = Commands(top)
    _releases(commands)
    _promotions(commands)
    _ways_back(commands)
    _decisions(commands)
    _reading(commands)
    _configuration(commands)
    _locks(commands)
    _maintenance(commands)
    return top


class Version(argparse.Action):
    """Prints the version; looked up only when asked, because the look-up is slow."""

    def __init__(self, option_strings: list[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, help=kwargs["help"])

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Say it and stop."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("relman")
        except PackageNotFoundError:
            number = "(not installed)"
        print(f"relman {number}")
        parser.exit()


def _common(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("everywhere")
    group.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the answer as JSON")
    group.add_argument("--url", default=argparse.SUPPRESS, help="address of RelMan (default: RELMAN_URL)")
    group.add_argument(
        "--token-file", metavar="FILE", default=argparse.SUPPRESS, help="file with the token (default: RELMAN_TOKEN)"
    )


def _timeout(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--timeout", type=seconds, default=3600.0, metavar="TIME", help="longest wait: 90, 90s, 15m or 2h (default: 1h)"
    )


def _waiting(command: argparse.ArgumentParser) -> None:
    command.add_argument("--wait", action="store_true", help="wait for the end; the exit code tells it")
    _timeout(command)


def seconds(text: str) -> float:
    """A length of time: a number of seconds, or with s, m or h behind it; a week at most."""
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)
    try:
        length = float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a length of time; write 90, 90s, 15m or 2h") from None
    if not 0 <= length <= 7 * 24 * 3600:
        raise argparse.ArgumentTypeError("a wait lasts from 0 s to 7 days")
    return length


def promotion_id(text: str) -> str:
    """A promotion's number; #12 and 12 are the same."""
    number = text.removeprefix("#")
    plain = number.isascii() and all(char.isalnum() or char == "-" for char in number)
    if not plain or not (number.isdigit() or len(number) == LONG_NUMBER):
        raise argparse.ArgumentTypeError(f"'{text}' is not the number of a promotion")
    return number


def _releases(commands: Commands) -> None:
    init = commands.add("init", "init:run", "Write a relman.toml for the application in a directory.", offline=True)
    init.add_argument("directory", nargs="?", default=".", help="default: the present directory")
    init.add_argument("--command", help="how the application starts; listens on 127.0.0.1:$PORT")
    init.add_argument("--health", metavar="PATH", help="address that answers 2xx when it is well, like /healthz")
    init.add_argument("--force", action="store_true", help="overwrite a relman.toml that is there")

    publish = commands.add("publish", "publish:run", "Publish a release: upload an archive, or pack a directory.")
    publish.add_argument("application", help="slug of the application")
    publish.add_argument("path", nargs="?", default=".", help=".tar.gz, .zip or a directory (default: this one)")
    publish.add_argument("--version", required=True, help="the release's version, like 1.4.0")
    publish.add_argument("--notes", help="release notes; @FILE reads them from a file, @- from stdin")
    publish.add_argument("--commit", help="the commit (default: git rev-parse HEAD, where there is one)")
    publish.add_argument("--author", help="who wrote it (default: the account of the token)")
    changes = publish.add_mutually_exclusive_group()
    changes.add_argument("--changes", metavar="FILE.json", help="list of {title, kind, ticket, author}")
    changes.add_argument("--changes-from-git", metavar="RANGE", help="one change for each commit, like v1.3.0..HEAD")
    publish.add_argument("--pack", metavar="FILE.tar.gz", help="keep the packed directory in this file")
    for name, text in (
        ("yank", "Take a release back: no new promotions of it; what was asked for goes on."),
        ("quarantine", "Stop a release: no new promotions, and what waits or is queued is cancelled."),
    ):
        back = commands.add(name, f"release:{name}", text)
        back.add_argument("application")
        back.add_argument("version")
        back.add_argument("--reason", required=True, help="why; it stays in the record")


def _promotions(commands: Commands) -> None:
    promote = commands.add("promote", "promote:promote", "Bring a release into a phase.")
    for name in ("application", "version", "phase"):
        promote.add_argument(name)
    promote.add_argument("--comment", help="why; approvers read it")
    promote.add_argument("--not-before", metavar="TIME", help="2026-12-24T18:00, with or without a zone; or +90m, +2h")
    promote.add_argument("--allow-lower", action="store_true", help="a version lower than what is live; says why")
    promote.add_argument("--accept-one-way", action="store_true", help="a migration that cannot be undone; says why")
    promote.add_argument(
        "--emergency", metavar="REASON", help="in front of the queue of all applications; opens no gate"
    )
    _waiting(promote)

    retry = commands.add("retry", "promote:retry", "Try an ended promotion again, as a new one.")
    retry.add_argument("promotion", type=promotion_id)
    _waiting(retry)

    wait = commands.add("wait", "wait:run", "Wait for the end of a promotion; the exit code tells it.")
    wait.add_argument("promotion", type=promotion_id)
    _timeout(wait)


def _ways_back(commands: Commands) -> None:
    rollback = commands.add("rollback", "promote:rollback", "Bring back a release that succeeded there before.")
    rollback.add_argument("application")
    rollback.add_argument("phase")
    rollback.add_argument("--version", help="to this release (default: the one before)")
    rollback.add_argument("--reason", help="why; it stays in the record")
    rollback.add_argument(
        "--configuration", choices=("then", "today"), help="as it ran then (the default), or as it is set today"
    )
    rollback.add_argument(
        "--dry-run", action="store_true", help="only say what it would do, and which configuration keys differ"
    )
    rollback.add_argument("--emergency", action="store_true", help="in front of the queue, for the same reason")
    _waiting(rollback)

    for name, text in (
        ("revert", "Bring back what the record says, where something else runs."),
        ("adopt", "Accept what runs as the record, where it is a known release."),
    ):
        drifted = commands.add(name, f"promote:{name}", text)
        drifted.add_argument("application")
        drifted.add_argument("phase")
        drifted.add_argument("--reason", required=True, help="why; it stays in the record")
        _waiting(drifted)

    rehearse = commands.add("rehearse", "rehearse:run", "Practise a rollback: really back, and forward again.")
    rehearse.add_argument("application")
    rehearse.add_argument("phase", help="any phase but the pipeline's last")
    rehearse.add_argument("--comment", help="why now; it stays in the record")
    _waiting(rehearse)

    lift = commands.add("lift", "rehearse:lift", "Lift the hold that a rollback put on a release.")
    for name in ("application", "version", "phase"):
        lift.add_argument(name)
    lift.add_argument("--comment", help="what has changed; it stays in the record")


def _decisions(commands: Commands) -> None:
    approve = commands.add("approve", "decide:approve", "Approve a promotion as it is now.")
    approve.add_argument("promotion", type=promotion_id)
    approve.add_argument("--comment")
    approve.add_argument("--seal", help="approve only what carries this seal (default: the present one)")
    reject = commands.add("reject", "decide:reject", "Reject a promotion, which ends it.")
    reject.add_argument("promotion", type=promotion_id)
    reject.add_argument("--comment", required=True, help="why; it ends the promotion and stays in the record")
    for name, text in (
        ("withdraw", "Take your own approval back, as long as the promotion has not started."),
        ("cancel", "Withdraw a promotion that has not started."),
        ("abort", "Stop a promotion that runs; what served before goes on serving."),
    ):
        commands.add(name, f"decide:{name}", text).add_argument("promotion", type=promotion_id)
    expedite = commands.add("expedite", "decide:expedite", "Put a promotion in front of the queue: the emergency lane.")
    expedite.add_argument("promotion", type=promotion_id)
    expedite.add_argument("--reason", required=True, help="what the emergency is; it stays in the record")
    resolve = commands.add("resolve", "decide:resolve", "Say how a promotion ended whose outcome is unknown.")
    resolve.add_argument("promotion", type=promotion_id)
    resolve.add_argument("--as", dest="outcome", required=True, choices=("done", "failed"), help="what you found")
    resolve.add_argument("--comment", help="how you know")


def _reading(commands: Commands) -> None:
    status = commands.add("status", "status:run", "What is where (an application), or how far (a promotion).")
    status.add_argument("subject", metavar="APPLICATION|PROMOTION")
    status.add_argument("phase", nargs="?", help="only this phase, in detail")
    why = commands.add("why", "why:run", "What blocks a promotion, who can clear it, and when.")
    why.add_argument("subject", metavar="PROMOTION|APPLICATION")
    why.add_argument("version", nargs="?", help="with an application: could this version go ...")
    why.add_argument("phase", nargs="?", help="... into this phase now?")
    why.add_argument("--exit-code", action="store_true", help="exit with 6 when something blocks")
    log = commands.add("log", "log:run", "The log of a promotion.")
    log.add_argument("promotion", type=promotion_id)
    log.add_argument("--follow", "-f", action="store_true", help="go on until the promotion ends")
    log.add_argument("--after", type=int, default=0, metavar="N", help="only lines after number N")
    _timeout(log)
    board = commands.add("board", "board:run", "Every application against every phase.")
    board.add_argument("--pipeline", help="only this pipeline")
    commands.add("whoami", "whoami:run", "Who this token is, and what it may do where.")


def _configuration(commands: Commands) -> None:
    config = commands.add("config", "", "Read or set the configuration of an environment.")
    inner = Commands(config)
    get = inner.add("get", "config:get", "Show the values; secrets are never shown.")
    change = inner.add("set", "config:change", "Set, or remove, values; a secret is read from stdin.")
    for command in (get, change):
        command.add_argument("application")
        command.add_argument("phase")
    get.add_argument("key", nargs="?", help="print only the value of this key")
    change.add_argument("values", nargs="*", metavar="KEY=VALUE", help="plain values")
    change.add_argument("--secret", metavar="KEY", help="read this key's value from stdin, and keep it encrypted")
    change.add_argument("--remove", metavar="KEY", action="append", default=[], help="remove this key (repeatable)")


def _locks(commands: Commands) -> None:
    lock = commands.add("lock", "lock:lock", "Hold every promotion into an environment, or into a whole phase.")
    unlock = commands.add("unlock", "lock:unlock", "Release such a lock: what it held goes on, in order.")
    for command in (lock, unlock):
        command.add_argument("where", metavar="APPLICATION|PIPELINE/PHASE", help="PIPELINE/PHASE: for all applications")
        command.add_argument("phase", nargs="?", help="with an application: which of its environments")
    lock.add_argument("--reason", required=True, help="why; whoever waits reads it")
    lock.add_argument("--until", metavar="TIME", help="when it ends by itself: 2026-12-24T18:00, or +90m, +2h")


def _maintenance(commands: Commands) -> None:
    text = "Whether anything may start, and when it is safe to stop RelMan; administrators switch it on and off."
    maintenance = commands.add("maintenance", "maintenance:run", text)
    maintenance.add_argument("switch", nargs="?", choices=("on", "off"), help="default: only say how it is")
    maintenance.add_argument("--reason", help="with `on`: why; everybody reads it")
    maintenance.add_argument("--wait", action="store_true", help="with `on`: until it is safe to stop")
    _timeout(maintenance)
