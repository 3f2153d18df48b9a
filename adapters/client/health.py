"""What a gateway says of itself and its parts, typed."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel


class DatabaseHealth(BaseModel):
    """Version of PostgreSQL; revision of the schema, and the newest that the gateway knows."""

    version: str
    revision: str
    head: str


class PrefectHealth(BaseModel):
    """The Prefect server; `error` says why it is not reached, and is empty when it is."""

    version: str
    workers: list[str]
    """Workers of the playbooks' work pool that Prefect has heard of lately."""
    error: str
    login: str = ""
    """What speaks against its login, where others reach it; older gateways do not say."""


class WorkerHealth(BaseModel):
    """A worker of our own type; `taken` of its `slots` are in use."""

    name: str
    work_pool: str
    type: str
    hostname: str
    version: str
    slots: int
    taken: int
    online: bool
    start_time: datetime
    seen_time: datetime


class RefusedWorker(BaseModel):
    """A second worker of a name, which was refused lately; `hostname` is the first one's."""

    name: str
    hostname: str
    refused_hostname: str
    refused_time: datetime


class RunsHealth(BaseModel):
    """Open runs by where they are; `oldest_seconds` is the age of the oldest not started."""

    queued: int
    waiting: int
    running: int
    suspended: int
    cancelling: int
    oldest_seconds: float


class HeldWorkQueue(BaseModel):
    """A work queue of Prefect of which nothing may start now; `rule` is why, in a sentence."""

    work_pool: str
    name: str
    rule: str


class ExposureFinding(BaseModel):
    """One sentence about how open the gateway is; not `ok` is what somebody has to mend."""

    ok: bool
    sentence: str


class PlaybookReport(BaseModel):
    """What a worker has found of playbooks; of the one that `holds` runs are made."""

    worker: str
    digest: str
    empty_folders: list[str]
    holds: bool
    report_time: datetime


class Health(BaseModel):
    """All of it."""

    database: DatabaseHealth
    prefect: PrefectHealth
    workers: list[WorkerHealth]
    refused_workers: list[RefusedWorker] = []
    """Older gateways do not say."""
    runs: RunsHealth
    work_queues: list[HeldWorkQueue] = []
    """Those of which nothing may start now; older gateways do not say."""
    exposure: list[ExposureFinding] = []
    """What its listeners let others do; older gateways do not say."""
    playbook_reports: list[PlaybookReport] = []
