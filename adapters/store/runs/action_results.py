"""The `result` of a run: its ended action runs with their app runs, put together by PostgreSQL.

One statement gives the whole list in the order and form of the vendor's example, times included:
PostgreSQL writes a ``timestamptz`` into JSON as ``2016-01-15T22:15:58.05319+00:00``, with trailing
zeros trimmed, which is what the vendor's page shows.
"""

from __future__ import annotations

from sqlalchemy import JSON, ColumnElement, literal_column

_RESULT = """
(
  SELECT coalesce(json_agg(json_build_object(
      'action', action_runs.action,
      'app_runs', (
        SELECT coalesce(json_agg(json_build_object(
            'action', app_runs.action,
            'action_run_id', app_runs.action_run_id,
            'app_message', entry ->> 'message',
            'app_name', app_runs.app,
            'app_run_id', app_runs.id,
            'asset_name', app_runs.asset_name,
            'parameter', entry -> 'parameter',
            'per_parameter_status', entry ->> 'status',
            'app', app_runs.app,
            'status', entry ->> 'status'
          ) ORDER BY app_runs.id, place), '[]'::json)
        FROM app_runs, json_array_elements(app_runs.entries) WITH ORDINALITY AS t (entry, place)
        WHERE app_runs.action_run_id = action_runs.id
      ),
      'close_time', action_runs.close_time,
      'create_time', action_runs.create_time,
      'id', action_runs.id,
      'message', action_runs.message,
      'status', action_runs.status,
      'type', action_runs.type
    ) ORDER BY action_runs.id), '[]'::json)
  FROM action_runs
  WHERE action_runs.playbook_run_id = playbook_runs.id AND action_runs.status <> 'running'
)
"""


def result_so_far() -> ColumnElement[object]:
    """SQL expression for the `result` of the row of ``playbook_runs`` at hand."""
    return literal_column(_RESULT, type_=JSON())
