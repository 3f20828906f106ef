"""What went wrong, as sentences for a person and as the API's own document for a program."""

from __future__ import annotations

from typing import Any

from relman.cli import exits


class Failure(Exception):
    """Ends the command: its sentence goes to stderr, its code is the exit code.

    `problem` is the API's problem document where there is one.
    """

    def __init__(self, sentence: str, code: int = exits.UNEXPECTED, problem: dict[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code
        self.problem = problem

    def document(self) -> dict[str, Any]:
        """The failure as JSON: the API's problem, or one of the same form made from the sentence."""
        return self.problem or {"title": self.sentence, "detail": self.sentence, "code": "cli", "exit": self.code}


def usage(sentence: str) -> Failure:
    """What was typed, or a file that was named, cannot be used."""
    return Failure(sentence, exits.USAGE)


def from_problem(problem: dict[str, Any], status: int) -> Failure:
    """The API's problem+json, told in its own sentences."""
    lines = [str(problem.get("detail") or problem.get("title") or f"RelMan answered {status}.")]
    lines += _fields(problem.get("fields"), lines[0])
    lines += _roles(problem.get("roles"), lines[0])
    return Failure("\n".join(lines), exits.for_status(status), problem)


def _fields(fields: Any, said: str) -> list[str]:
    """What is wrong with each field, but for what the sentence has said already."""
    if not isinstance(fields, dict):
        return []
    lines = []
    for name, sentences in fields.items():
        for sentence in sentences if isinstance(sentences, list) else [sentences]:
            lines += [] if str(sentence) in said else [f"  {name}: {sentence}"]
    return lines


def _roles(roles: Any, said: str) -> list[str]:
    """The roles that have the right, unless the sentence names them already."""
    if not isinstance(roles, list) or not roles or all(str(role) in said for role in roles):
        return []
    return ["  Roles that have this right: " + ", ".join(str(role) for role in roles) + "."]
