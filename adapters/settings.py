"""Settings: one class, filled from ``PREFECT_PHANTOM_*`` variables or by the command line."""

from __future__ import annotations

import functools
import socket
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from prefect_phantom.adapters.between.repositories import Repositories, read_ids
from prefect_phantom.flows.process.grace import GRACE_SECONDS

PHANTOM_DATABASE = "phantom"
"""Name of our database on the PostgreSQL server."""
PREFECT_DATABASE = "prefect"
"""Name of the Prefect server's database on the PostgreSQL server."""


class Settings(BaseSettings):
    """What can be set. Each field is also the variable ``PREFECT_PHANTOM_<FIELD>``."""

    model_config = SettingsConfigDict(env_prefix="PREFECT_PHANTOM_", extra="ignore")

    home: Path = Path("~/.prefect-phantom")
    """Folder of this installation: database, logs, certificate, keys. Kept at mode 0700."""
    host: str = "127.0.0.1"
    """Address on which the REST contract is served."""
    port: int = Field(default=8443, ge=0, le=65535)
    """Port of the REST contract; 0 picks a free one."""
    http: bool = False
    """Serve plain HTTP instead of HTTPS."""
    clear_text: bool = False
    """Let `http` be served to other machines, too, where a proxy with TLS stands before it."""
    base_url: str = ""
    """Where people reach the gateway, for links in Prefect; made of the three above if empty."""
    runtime_host: str = "127.0.0.1"
    """Address of the runtime API. On any but loopback its key passes over the network."""
    runtime_port: int = Field(default=8444, ge=0, le=65535)
    """Port of the runtime API, the door from runs to stored data; 0 picks a free one."""
    lease_port: int = Field(default=8445, ge=0, le=65535)
    """Port on `runtime_host` at which a process of the gateway's renews leases; unless it was
    chosen, another does where it is in use. Workers are told."""
    lease_url: str | None = None
    """Where workers reach that port, if not on the host of their `runtime_url`."""
    prefect_port: int = Field(default=4200, ge=0, le=65535)
    """Port of the Prefect server that ``up`` starts; 0 picks a free one."""
    certificate: Path | None = None
    """PEM certificate chain for HTTPS; without it the home's self-signed one is used."""
    certificate_key: Path | None = None
    """PEM private key of `certificate`."""
    database_url: str | None = None
    """PostgreSQL server on which both databases are made, such as ``postgresql://user:pw@db``.
    Without it `up` runs an embedded PostgreSQL in the home folder."""
    log_format: Literal["text", "json"] = "text"
    """How the parts write their logs: lines of text, or one JSON object a line."""
    metrics: bool = True
    """Serve ``/metrics`` for Prometheus, to everyone who reaches the REST contract."""
    metrics_token: SecretStr | None = Field(default=None, min_length=16)
    """What ``/metrics`` is shown for, as ``Authorization: Bearer``; unset shows it to everyone."""
    admin_password: SecretStr | None = None
    """Password of the first administrator, ``admin``; without it one is generated."""

    playbooks: Annotated[list[Path], NoDecode] = []
    """The worker's folders of the repository ``local``; in the environment separated by ``:``."""
    apps: Annotated[list[Path], NoDecode] = []
    """The worker's folders of apps beside those that ship and are installed; separated as
    ``playbooks`` are."""
    repositories: Annotated[list[str], NoDecode] = ["local", "examples"]
    """Repositories in the order in which a bare playbook name is looked up."""
    playbook_ids: Path | None = None
    """JSON file ``{"repository/name": id}`` that fixes playbook ids when they are first found."""
    playbook_scan_seconds: float = Field(default=5.0, gt=0)
    """How often the worker looks at playbook folders for changes."""
    playbook_import_seconds: float = Field(default=30.0, gt=0)
    """A playbook file that takes longer to import is listed as broken."""
    sample_data: bool = False
    """Make container 42 with artifacts, and run a sample WHOIS responder on loopback."""

    default_scope: Literal["all", "new"] = "all"
    """Scope of a run whose request names none."""
    labels: Annotated[list[str] | None, NoDecode] = None
    """Known container labels; unset accepts any."""
    message_parameter: Literal["text", "object"] = "text"
    """Shape of `parameter` inside a run's `message`: JSON text (old) or object (newer)."""
    body_limit: int = Field(default=1024 * 1024, gt=0)
    """Largest request body, in bytes."""
    body_depth: int = Field(default=32, gt=0)
    """Deepest nesting of a JSON body."""

    trusted_proxies: Annotated[list[IPv4Network | IPv6Network], NoDecode] = []
    """Networks of the proxies whose ``X-Forwarded-For`` and ``X-Forwarded-Host`` are believed."""
    allowed_hosts: Annotated[list[str], NoDecode] = []
    """Names by which this gateway may be asked, besides its own; unset, any name is right where
    others reach it, and on loopback the machine's names and those in the URLs above."""
    hsts_seconds: int = Field(default=0, ge=0)
    """For how long browsers are told to ask this host by HTTPS alone; 0 tells them nothing."""
    rate_limit: float = Field(default=2000.0, ge=0)
    """Requests a second that each token or user and each address may send to one gateway, for half
    a minute at once after a pause; 0 is no limit."""
    connections: int = Field(default=2000, gt=0)
    """Most connections at once to the REST contract of one gateway. When there are more, the one
    that has waited longest for its client is closed for a new one. Where the system allows fewer
    open files, fewer."""
    connections_per_address: int = Field(default=500, gt=0)
    """Most of them from one address, which trusted proxies may exceed; half of all at most."""
    login_failures: int = Field(default=10, gt=0)
    """Failed logins of a user at an address after which more are refused; ten times as many for
    all users at an address together."""
    login_minutes: float = Field(default=5.0, gt=0)
    """How long after the first of them they are refused."""

    keep_run_days: float | None = Field(default=None, gt=0)
    """Runs that ended longer ago are removed, with their actions and logs; unset keeps them all."""
    keep_runs: int | None = Field(default=None, gt=0)
    """Ended runs before the newest so many are removed."""
    keep_log_days: float | None = Field(default=None, gt=0)
    """Lines of the logs of ended runs are removed when they are older, and the runs stay."""
    keep_log_lines: int | None = Field(default=None, gt=0)
    """Lines before the newest so many, of all runs together, are removed."""
    keep_audit_days: float | None = Field(default=None, gt=0)
    """Entries of the audit that are older are removed, which the audit says."""
    keep_audit_entries: int | None = Field(default=None, gt=0)
    """Entries before the newest so many are removed."""

    dispatch_window: int = Field(default=100, gt=0, le=200)
    """Most flow runs of a work queue that may stand in Prefect without having started."""
    dispatch_seconds: float = Field(default=2.0, gt=0)
    """How often the queue is looked at when no signal came."""
    reconcile_seconds: float = Field(default=5.0, gt=0)
    """How often all unfinished runs are compared with Prefect; its events say so sooner."""
    priorities: Annotated[list[Literal["manual", "automation"]], NoDecode] = [
        "manual",
        "automation",
    ]
    """Whose runs go first: those that people start, or those that automation users start. What is
    not named comes last; empty, all are alike."""
    priority_minutes: float = Field(default=10.0, ge=0)
    """What a run of the next lower priority is put back by in the queue. Nothing that comes more
    than this after it is taken before it."""
    events: Literal["listened", "always", "never"] = "listened"
    """Whether Prefect is told of new containers and artifacts: while one of its automations reacts
    to that, which is looked for every 10 s, always, or never."""
    pending_seconds: float = Field(default=60.0, gt=0)
    """A flow run that was taken but has not claimed its row by then is offered again."""
    waiting_hours: float = Field(default=24.0, gt=0)
    """A run that no worker took within this time ends failed, pauses of its queue not counted."""
    grace_seconds: float = Field(default=GRACE_SECONDS, ge=0)
    """Time between SIGTERM and SIGKILL for runs when the worker stops."""

    work_pool: str = "phantom"
    """Work pool of the deployments made for playbooks, and of this worker."""
    worker_type: Literal["phantom", "process"] = "phantom"
    """``phantom`` forks runs from a warm template; ``process`` is Prefect's stock process worker,
    whose pool is made under the name ``phantom-process``."""
    worker_name: str = Field(default_factory=lambda: f"phantom-{socket.gethostname()}")
    """Name of this worker. One process per name: another is refused."""
    worker_user: str | None = None
    """User of this machine as whom `up`, started by root, starts the worker and so its runs."""
    worker_home: Path | None = None
    """Folder of that user for the worker's own files; unset, the user's home."""
    worker_limit: int | None = Field(default=None, gt=0)
    """Most runs at once on this worker; unset takes the pool's slots, or for a pool of type
    ``process`` twice the number of cores."""
    runtime_url: str | None = None
    """Where runs reach the runtime API, such as ``http://127.0.0.1:8444``."""
    runtime_key: SecretStr | None = None
    """Shared secret of the gateway and its workers."""
    run_environment: Annotated[list[str], NoDecode] = []
    """Further environment variables, by name, that runs may see; separated by ``,``."""

    @field_validator("playbooks", "apps", mode="before")
    @classmethod
    def _split_folders(cls, value: object) -> object:
        return [part for part in value.split(":") if part] if isinstance(value, str) else value

    @field_validator(
        "repositories",
        "labels",
        "priorities",
        "run_environment",
        "trusted_proxies",
        "allowed_hosts",
        mode="before",
    )
    @classmethod
    def _split_names(cls, value: object) -> object:
        return (
            [part.strip() for part in value.split(",") if part.strip()]
            if isinstance(value, str)
            else value
        )

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("certificate", "certificate_key", "playbook_ids")
    @classmethod
    def _expanded(cls, value: Path | None) -> Path | None:
        # No shell has read what stands in an env file.
        return value and value.expanduser()

    @functools.cached_property
    def known_repositories(self) -> Repositories:
        """What the gateway is told of repositories. Reads the file `playbook_ids`, once.

        Raises ValueError when that cannot be read.
        """
        ids = {} if self.playbook_ids is None else read_ids(self.playbook_ids)
        return Repositories(names=self.repositories, ids=ids)

    def reached_at(self) -> str:
        """Where people reach the gateway, without a slash at its end."""
        scheme = "http" if self.http else "https"
        return self.base_url.rstrip("/") or f"{scheme}://{self.host}:{self.port}"
