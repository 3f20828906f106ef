"""The payments desk: healthy only when it can reach what its configuration names."""

import os
from pathlib import Path

from page import page, serve, table, text

NEEDS = (Path(__file__).parent / "NEEDS").read_text().split() if (Path(__file__).parent / "NEEDS").exists() else []


def missing() -> list[str]:
    """Settings that this version needs and its phase does not have."""
    return [key for key in NEEDS if not os.environ.get(key)]


def home() -> tuple[int, str, str]:
    return page(
        "Payments",
        table({"Bank": os.environ.get("BANK", "test bank"), "Waiting for": ", ".join(missing()) or "nothing"}),
    )


def health() -> tuple[int, str, str]:
    lacking = missing()
    return text(f"cannot reach the bank without {', '.join(lacking)}", 503) if lacking else text("ok")


serve({"/": home}, health)
