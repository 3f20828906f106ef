"""What RelMan refuses, as sentences: the same words in page, API, command line and history."""

from __future__ import annotations

from typing import Any


class RelManError(Exception):
    """A refusal: a stable code, one sentence for people, an HTTP status, and facts for programs."""

    code = "error"
    status = 400
    recorded = False
    """Whether the refusal stands in the record already."""
    refusal: dict[str, Any] | None = None
    """What the record says of it: see `relman.audit.recording.again`."""

    def __init__(self, message: str, *, code: str = "", status: int = 0, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.status = status or self.status
        self.extra = extra


class Invalid(RelManError):
    """Malformed input. `fields`: field name -> list of sentences."""

    code = "invalid"
    status = 400


class Forbidden(RelManError):
    """A member without the right. `roles`: names of the roles that have it."""

    code = "forbidden"
    status = 403


class NotFound(RelManError):
    """Unknown, or invisible to whoever asks: nobody can tell the two apart."""

    code = "not_found"
    status = 404

    def __init__(self, message: str = "There is nothing here that you can see.", **extra: Any) -> None:
        super().__init__(message, **extra)


class Conflict(RelManError):
    """The state of things forbids it now. The sentence says the present state."""

    code = "conflict"
    status = 409


class Refused(Conflict):
    """A gate refuses. `verdicts`: what every gate says."""

    code = "refused"


class TooBig(RelManError):
    """More than the limit; the sentence names it."""

    code = "too_big"
    status = 413


class Unprocessable(RelManError):
    """Well-formed, but not acceptable: `errors` lists all that is wrong at once."""

    code = "unprocessable"
    status = 422
