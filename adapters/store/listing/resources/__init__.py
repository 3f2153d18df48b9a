"""All that can be listed, by name."""

from __future__ import annotations

from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.listing.resources.asset import APP, ASSET
from prefect_phantom.adapters.store.listing.resources.case.artifact import ARTIFACT
from prefect_phantom.adapters.store.listing.resources.case.cef import CEF
from prefect_phantom.adapters.store.listing.resources.case.container import CONTAINER
from prefect_phantom.adapters.store.listing.resources.case.container_entry import COMMENT, NOTE, PIN
from prefect_phantom.adapters.store.listing.resources.case.decided_list import DECIDED_LIST
from prefect_phantom.adapters.store.listing.resources.case.vocabulary import (
    CONTAINER_STATUS,
    LABEL,
    SCM,
    SEVERITY,
)
from prefect_phantom.adapters.store.listing.resources.nothing_yet import APPROVAL
from prefect_phantom.adapters.store.listing.resources.ph_user import PH_USER, ROLE, TOKEN
from prefect_phantom.adapters.store.listing.resources.playbook import PLAYBOOK
from prefect_phantom.adapters.store.listing.resources.runs.action_run import ACTION_RUN
from prefect_phantom.adapters.store.listing.resources.runs.app_run import APP_RUN
from prefect_phantom.adapters.store.listing.resources.runs.block_result import BLOCK_RESULT
from prefect_phantom.adapters.store.listing.resources.runs.playbook_run import PLAYBOOK_RUN
from prefect_phantom.adapters.store.listing.resources.runs.run_log import RUN_LOG

RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        *(PLAYBOOK_RUN, ACTION_RUN, APP_RUN, RUN_LOG, CONTAINER, ARTIFACT, PLAYBOOK, PH_USER),
        *(BLOCK_RESULT, ROLE, TOKEN, DECIDED_LIST, ASSET, APP),
        *(LABEL, SEVERITY, CONTAINER_STATUS, SCM, CEF, APPROVAL, NOTE, COMMENT, PIN),
    )
}
