"""All that can be listed, by name."""

from __future__ import annotations

from adapters.store.listing.resource import Resource
from adapters.store.listing.resources.action_run import ACTION_RUN
from adapters.store.listing.resources.app_run import APP_RUN
from adapters.store.listing.resources.artifact import ARTIFACT
from adapters.store.listing.resources.asset import APP, ASSET
from adapters.store.listing.resources.block_result import BLOCK_RESULT
from adapters.store.listing.resources.cef import CEF
from adapters.store.listing.resources.container import CONTAINER
from adapters.store.listing.resources.container_entry import COMMENT, NOTE, PIN
from adapters.store.listing.resources.decided_list import DECIDED_LIST
from adapters.store.listing.resources.nothing_yet import APPROVAL
from adapters.store.listing.resources.ph_user import PH_USER, ROLE, TOKEN
from adapters.store.listing.resources.playbook import PLAYBOOK
from adapters.store.listing.resources.playbook_run import PLAYBOOK_RUN
from adapters.store.listing.resources.run_log import RUN_LOG
from adapters.store.listing.resources.vocabulary import CONTAINER_STATUS, LABEL, SCM, SEVERITY

RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        *(PLAYBOOK_RUN, ACTION_RUN, APP_RUN, RUN_LOG, CONTAINER, ARTIFACT, PLAYBOOK, PH_USER),
        *(BLOCK_RESULT, ROLE, TOKEN, DECIDED_LIST, ASSET, APP),
        *(LABEL, SEVERITY, CONTAINER_STATUS, SCM, CEF, APPROVAL, NOTE, COMMENT, PIN),
    )
}
