"""Runs that start by themselves: of the active playbooks that are meant for a container's label.

They are made in the transaction that brings the artifacts, so there are never the ones without the
others. Whoever calls `start` holds the container's row, or has just made it: so a run of scope
``new`` gets exactly what is new to its playbook.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import BigInteger, text
from sqlalchemy.ext.asyncio import AsyncConnection

from prefect_phantom.adapters.store.accounts.served_request import DONE
from prefect_phantom.adapters.store.database.measures import RUNS_ACCEPTED

EVERY_LABEL = "*"
"""The label of playbooks that are meant for all containers, as in Phantom."""
PATH = "/rest/playbook_run"
"""Where such a run would have been asked for; the audit has it beside a sentence."""
SKIPPED = 400


@dataclass(frozen=True, slots=True)
class Automation:
    """On whose behalf runs start by themselves.

    Attributes:
        owner_id: Who brings the artifacts; nobody for a run that began in Prefect.
        ip_address: From where.
        queue_delay: How much later than they came the runs stand in the queue.
        request_id: What the request is called that brings the artifacts.
        traceparent: W3C trace context under which the runs are given to Prefect.
        cause: The playbook run that brings them, if one does.
    """

    owner_id: int | None = None
    ip_address: str | None = None
    queue_delay: timedelta = timedelta()
    request_id: str | None = None
    traceparent: str | None = None
    cause: int | None = None


async def start(connection: AsyncConnection, container_id: int, by: Automation) -> list[int]:
    """Start each playbook that is active and has the container's label; returns the runs' ids.

    One that matches and cannot start by itself is left out, which the audit says with the reason.
    """
    # The statement that makes runs costs milliseconds, also when there is none to make.
    if not await connection.scalar(_ANY, {"container": container_id, "every_label": EVERY_LABEL}):
        return []
    chain = [] if by.cause is None else await _chain(connection, by.cause)
    made = await connection.execute(
        _START,
        {
            "container": container_id,
            "every_label": EVERY_LABEL,
            "path": PATH,
            "done": DONE,
            "skipped": SKIPPED,
            "chain": chain,
            "owner": by.owner_id,
            "ip_address": by.ip_address,
            "queue_delay": by.queue_delay,
            "request_id": by.request_id,
            "traceparent": by.traceparent,
        },
    )
    ids = sorted(made.scalars())
    RUNS_ACCEPTED.labels("automation").inc(len(ids))
    return ids


async def _chain(connection: AsyncConnection, playbook_run_id: int) -> list[int]:
    """The playbooks that had a part in what the run does: its own, its parents', its causes'."""
    return list((await connection.execute(_CHAIN, {"cause": playbook_run_id})).scalars())


# A run knows the playbooks before it by their ids alone, so that retention may remove theirs.
_CHAIN = text(
    """
    WITH RECURSIVE line AS (
      SELECT id, parent_run_id, playbook_id, automation_chain
      FROM playbook_runs WHERE id = :cause
      UNION
      SELECT run.id, run.parent_run_id, run.playbook_id, run.automation_chain
      FROM playbook_runs AS run JOIN line ON run.id = line.parent_run_id
    )
    SELECT playbook_id FROM line
    UNION SELECT unnest(automation_chain) FROM line
    """
).columns(playbook_id=BigInteger)


_ANY = text(
    """
    SELECT EXISTS (
      SELECT 1 FROM playbooks
      WHERE active AND labels ?| ARRAY[containers.label, CAST(:every_label AS text)]
    ) FROM containers WHERE containers.id = :container
    """
)
# One statement that makes the runs and what the audit says of them and of those left out. Where the
# artifacts of a run begin and end is as in `scope_marks`.
_START = text(
    """
    WITH matching AS (
      SELECT playbooks.id AS playbook_id, repository || '/' || playbooks.name AS name,
        containers.id AS container_id,
        CASE
          WHEN disabled THEN 'it is disabled'
          WHEN gone_time IS NOT NULL THEN 'it is no longer in its repository'
          WHEN error != '' AND NOT earlier_code THEN 'it does not import'
          WHEN jsonb_array_length(coalesce(input_schema -> 'required', '[]')) > 0
            THEN 'it asks for inputs'
          WHEN playbooks.id = ANY (CAST(:chain AS bigint[]))
            THEN 'it had a part in bringing these artifacts, and would start for ever'
        END AS reason
      FROM containers JOIN playbooks
        ON active AND labels ?| ARRAY[containers.label, CAST(:every_label AS text)]
      WHERE containers.id = :container
    ), made AS (
      INSERT INTO playbook_runs (playbook_id, container_id, owner_id, effective_user_id, scope,
        after_artifact, last_artifact, queue_time, ip_address, request_id, traceparent,
        automation_chain)
      SELECT playbook_id, container_id, CAST(:owner AS bigint), CAST(:owner AS bigint), 'new',
        coalesce(greatest(
          (SELECT max(playbook_runs.last_artifact) FROM playbook_runs
          WHERE playbook_runs.container_id = matching.container_id
            AND playbook_runs.playbook_id = matching.playbook_id
            AND playbook_runs.scope IN ('all', 'new')),
          (SELECT scope_marks.last_artifact FROM scope_marks
          WHERE scope_marks.container_id = matching.container_id
            AND scope_marks.playbook_id = matching.playbook_id)), 0),
        coalesce((SELECT max(artifacts.id) FROM artifacts
          WHERE artifacts.container_id = matching.container_id), 0),
        now() + CAST(:queue_delay AS interval), CAST(:ip_address AS text),
        CAST(:request_id AS text), CAST(:traceparent AS text), CAST(:chain AS bigint[])
      FROM matching WHERE reason IS NULL ORDER BY playbook_id
      RETURNING id, playbook_id
    ), said_of_made AS (
      INSERT INTO audit (user_id, ip_address, method, path, object_id, status, message)
      SELECT CAST(:owner AS bigint), CAST(:ip_address AS text), 'POST', CAST(:path AS text),
        made.id, CAST(:done AS integer),
        concat(name, ' started by itself on container ', container_id)
      FROM made JOIN matching USING (playbook_id)
    ), said_of_left_out AS (
      INSERT INTO audit (user_id, ip_address, method, path, status, message)
      SELECT CAST(:owner AS bigint), CAST(:ip_address AS text), 'POST', CAST(:path AS text),
        CAST(:skipped AS integer),
        concat(name, ' did not start by itself on container ', container_id, ': ', reason)
      FROM matching WHERE reason IS NOT NULL
    )
    SELECT id FROM made
    """
)
