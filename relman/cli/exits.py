"""Exit codes. They are an interface: scripts depend on them, so a number never changes its meaning."""

from __future__ import annotations

OK = 0
UNEXPECTED = 1  # something this command did not foresee
USAGE = 2  # the command line, a file or the request is wrong (also HTTP 400, 413, 422)
UNAUTHENTICATED = 3  # no token, or one that RelMan does not accept (401)
FORBIDDEN = 4  # the right is missing (403)
NOT_FOUND = 5  # unknown, or invisible to this token (404)
CONFLICT = 6  # refused by a gate, or the state does not allow it (409)
UNREACHABLE = 7  # no usable answer after the last try (connection, 5xx, 429)

FAILED = 10  # ten and up: how a promotion ended
ERRORED = 11
REJECTED = 12
CANCELLED = 13
ABORTED = 14
EXPIRED = 15
SUPERSEDED = 16
TIMEOUT = 20  # still moving when the time given to `--timeout` was over

INTERRUPTED = 130
BROKEN_PIPE = 141

ENDS: dict[str, int] = {
    "succeeded": OK,
    "failed": FAILED,
    "errored": ERRORED,
    "rejected": REJECTED,
    "cancelled": CANCELLED,
    "aborted": ABORTED,
    "expired": EXPIRED,
    "superseded": SUPERSEDED,
}

BY_STATUS: dict[int, int] = {
    400: USAGE,
    401: UNAUTHENTICATED,
    403: FORBIDDEN,
    404: NOT_FOUND,
    409: CONFLICT,
    413: USAGE,
    415: USAGE,
    422: USAGE,
    429: UNREACHABLE,
}


def for_status(status: int) -> int:
    """The exit code for an HTTP status that is an error."""
    return BY_STATUS.get(status, UNREACHABLE if status >= 500 else UNEXPECTED)
