"""Where the catalogue keeps its products."""

import os
from pathlib import Path

DATABASE = str(Path(os.environ.get("HOME", ".")) / "catalogue.sqlite3")
