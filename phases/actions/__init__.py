"""Verbs: pipelines and applications, environments and their configuration, rules and roles, tokens."""

from phases.permissions import grant, revoke, set_role_rights
from phases.tokens import issue as issue_token
from phases.tokens import revoke as revoke_token

from .access import (
    create_group,
    create_role,
    create_user,
    edit_role,
    edit_user,
    remove_group,
    remove_role,
    remove_rule,
    set_members,
    set_rule,
)
from .configuration import set_configuration
from .environments import (
    add_component,
    check_environment,
    create_environment,
    edit_environment,
    lock,
    remove_component,
    remove_environment,
    unlock,
)
from .pipelines import (
    add_phase,
    create_application,
    create_pipeline,
    edit_application,
    edit_pipeline,
    move_phase,
    remove_phase,
    rename_phase,
    set_phase,
)

__all__ = [
    "add_component",
    "add_phase",
    "check_environment",
    "create_application",
    "create_environment",
    "create_group",
    "create_pipeline",
    "create_role",
    "create_user",
    "edit_application",
    "edit_environment",
    "edit_pipeline",
    "edit_role",
    "edit_user",
    "grant",
    "issue_token",
    "lock",
    "move_phase",
    "remove_component",
    "remove_environment",
    "remove_group",
    "remove_phase",
    "remove_role",
    "remove_rule",
    "rename_phase",
    "revoke",
    "revoke_token",
    "set_configuration",
    "set_members",
    "set_phase",
    "set_role_rights",
    "set_rule",
    "unlock",
]
