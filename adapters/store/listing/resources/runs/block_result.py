"""What is listed of the blocks of a run. The shape is ours: none is published.

Playbooks here have no blocks, and what does the work in a block is an action. So each action run is
one, with what its sets of parameters led to; their data is in the app runs.
"""

from __future__ import annotations

from sqlalchemy import literal_column
from sqlalchemy.dialects.postgresql import JSONB

from prefect_phantom.adapters.store.listing.field import (
    Field,
    Kind,
    column,
    integer,
    reference,
    text,
    time,
)
from prefect_phantom.adapters.store.listing.resource import Resource
from prefect_phantom.adapters.store.tables.tables import action_runs

_OUTPUTS = """
(
  SELECT coalesce(jsonb_agg(jsonb_build_object(
      'app_run', app_runs.id,
      'asset', app_runs.asset_name,
      'parameter', entry -> 'parameter',
      'status', CASE app_runs.status WHEN 'running' THEN 'running' ELSE entry ->> 'status' END,
      'message', entry ->> 'message'
    ) ORDER BY app_runs.id, place), '[]'::jsonb)
  FROM app_runs, json_array_elements(app_runs.entries) WITH ORDINALITY AS t (entry, place)
  WHERE app_runs.action_run_id = action_runs.id
)
"""

BLOCK_RESULT = Resource(
    name="block_result",
    source=action_runs,
    thing="Block result",
    title=column("name"),
    fields={
        "id": integer("id"),
        "name": text("name"),
        "action": text("action"),
        "app_name": text("app"),
        "status": text("status"),
        "message": text("message"),
        "outputs": Field(Kind.JSON, lambda _: literal_column(_OUTPUTS, type_=JSONB())),
        "playbook_run": reference("playbook_run_id", "playbook_run"),
        "create_time": time("create_time"),
        "close_time": time("close_time"),
        "version": integer("version"),
    },
)
