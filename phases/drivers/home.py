"""Where RelMan keeps its files on this machine."""

from __future__ import annotations

import os
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def home() -> Path:
    """The data directory: RELMAN_HOME, or .relman in the checkout."""
    given = os.environ.get("RELMAN_HOME")
    return Path(given).expanduser().resolve() if given else CHECKOUT / ".relman"
