"""What can go wrong between RelMan and its gateway."""

from __future__ import annotations


class GatewayError(Exception):
    """A sentence about what the gateway did not do, and why."""


class Unreachable(GatewayError):
    """The gateway's process does not answer; what was asked is kept and holds from its next start."""


class Stale(GatewayError):
    """A newer promotion has switched this environment already: whoever asks was replaced."""
