"""Who may do what. Pages, API, admin, gateway and tasks ask here, and nowhere else is guardian spoken to.

table: rights and the default roles · asking: may this actor? · granting: give and take · approvers: whose yes counts
"""

from .approvers import (
    Unmeetable,
    approver_roles,
    approver_roles_of,
    approvers,
    counts_for,
    unmeetable_rules,
)
from .asking import (
    CURRENT,
    Access,
    access,
    can,
    first_phase,
    forget,
    last_phase,
    people_who_can,
    permission_map,
    phases_with,
    require,
    require_administrator,
    require_application,
    require_as_member,
    roles_with,
    sight,
    visible_applications,
    visible_environments,
    visible_phases,
    visible_pipelines,
)
from .granting import follow_staff, grant, revoke, set_role_rights
from .table import LABELS, RIGHTS, ROLES, RoleDefault

__all__ = [
    "CURRENT",
    "LABELS",
    "RIGHTS",
    "ROLES",
    "Access",
    "RoleDefault",
    "Unmeetable",
    "access",
    "approver_roles",
    "approver_roles_of",
    "approvers",
    "can",
    "counts_for",
    "first_phase",
    "follow_staff",
    "forget",
    "grant",
    "last_phase",
    "people_who_can",
    "permission_map",
    "phases_with",
    "require",
    "require_administrator",
    "require_application",
    "require_as_member",
    "revoke",
    "roles_with",
    "set_role_rights",
    "sight",
    "unmeetable_rules",
    "visible_applications",
    "visible_environments",
    "visible_phases",
    "visible_pipelines",
]
