"""Django's admin over where and who. Every change goes through a verb, so that nothing here bypasses a rule.

base: what all pages share · access: roles, grants, rules · people: accounts, groups, tokens · places: the rest
"""

from . import access, people, places

__all__ = ["access", "people", "places"]
