"""`python -m relman.cli`: the command without its console script."""

import sys

from relman.cli import main

sys.exit(main())
