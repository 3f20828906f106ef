"""Backup and restore of a whole installation: one folder with the database, the artifacts and what they add up to.

The keys that open the secrets are no part of that folder: they go into a file of their own, to be kept elsewhere.
"""

from __future__ import annotations


class BackupError(Exception):
    """A backup or restore that cannot go on: the sentence says why, and what was left as it was."""
