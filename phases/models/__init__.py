"""Where releases go, and who may do what there."""

from .access import Grant, PhaseGroupPermission, PhaseUserPermission, Role, RoleRight, Rule
from .environments import Component, Environment, HealthChange, Lock, Variable
from .passes import Pass
from .people import Token, User
from .pipelines import Application, Phase, Pipeline

__all__ = [
    "Application",
    "Component",
    "Environment",
    "Grant",
    "HealthChange",
    "Lock",
    "Pass",
    "Phase",
    "PhaseGroupPermission",
    "PhaseUserPermission",
    "Pipeline",
    "Role",
    "RoleRight",
    "Rule",
    "Token",
    "User",
    "Variable",
]
