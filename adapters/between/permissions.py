"""What a user may do. Roles give permissions, and each route of the contract needs one."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """A permission by the name that roles and refusals show (our decision)."""

    VIEW = "view"
    """Read whatever the contract shows, except what is for administrators."""
    EDIT_CONTAINERS = "edit_containers"
    """Make and change containers, artifacts and what belongs to them, and custom lists."""
    RUN_PLAYBOOKS = "run_playbooks"
    CANCEL = "cancel"
    """Cancel playbook runs, whoever started them."""
    ADMINISTER = "administer"
    """Users, roles, tokens, playbooks' ids, assets and the audit."""


ADMINISTRATOR = "Administrator"
AUTOMATION = "Automation"
OBSERVER = "Observer"
"""Names of shipped roles, which are the vendor's; the migration that makes them has them all."""
