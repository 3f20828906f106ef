"""Formats of what is frozen with a promotion: so that new code and workers of before may run side by side."""

from __future__ import annotations

PLAN = 1
"""The format of plans that this code writes; it carries out this one and all before it.

Raise it when a worker of before could not carry out what is frozen from now on: a new kind of step of the engine's
own, another meaning of a parameter. Workers of before leave such promotions to their successors."""
