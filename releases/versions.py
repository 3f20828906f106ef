"""Version schemes: whether a version is valid, how it sorts, its channel. Pure.

Semantic Versioning 2.0.0 (https://semver.org), section 11 for precedence.
"""

from __future__ import annotations

from dataclasses import dataclass

from semver import Version as SemVer

DIGITS = 20


@dataclass(frozen=True)
class Parsed:
    """`precedence` compares, byte by byte, as the scheme orders; `channel`: a pre-release's first word, else stable."""

    precedence: str
    channel: str
    prerelease: bool


def parse(version: str, scheme: str = "semver") -> Parsed:
    """Read a version. Raises ValueError with a sentence when it is not one of the scheme."""
    if scheme != "semver":
        raise ValueError(f"The version scheme {scheme} is unknown.")
    if len(version) > 128:
        raise ValueError("A version has at most 128 characters.")
    try:
        parsed = SemVer.parse(version)
    except (ValueError, TypeError):
        raise ValueError(
            f"“{version}” is not a Semantic Version: write major.minor.patch, such as 1.4.0 or 1.4.0-rc.1."
        ) from None
    numbers = [str(parsed.major), str(parsed.minor), str(parsed.patch)]
    words = parsed.prerelease.split(".") if parsed.prerelease else []
    if any(len(number) > DIGITS for number in [*numbers, *(word for word in words if word.isdigit())]):
        raise ValueError(f"A number in a version has at most {DIGITS} digits.")
    core = ".".join(number.zfill(DIGITS) for number in numbers)
    # "~" sorts after "-": a release comes after its pre-releases; "!" sorts before any
    # character of an identifier, so a longer list of identifiers comes later.
    tail = "-" + "!".join(_identifier(word) for word in words) if words else "~"
    return Parsed(core + tail, _channel(words), bool(words))


def after(version: str) -> str:
    """The version that usually comes next: after 1.4.2 that is 1.5.0, after 2.0.0-rc.1 its release, 2.0.0."""
    parsed = SemVer.parse(version)
    return str(parsed.finalize_version() if parsed.prerelease else parsed.bump_minor())


def _identifier(word: str) -> str:
    """Numbers before words, numbers by value, words by ASCII."""
    return "0" + word.zfill(DIGITS) if word.isdigit() else "1" + word


def _channel(words: list[str]) -> str:
    """The first pre-release word, else stable."""
    return next((word[:64] for word in words if not word.isdigit()), "pre" if words else "stable")
