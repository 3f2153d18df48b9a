"""What each part finds in its environment, and what it must not find there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from prefect_phantom.adapters.process.private_program import SECRETS
from prefect_phantom.adapters.process.process_marks import HOME_VARIABLE, MARKS, PART_VARIABLE
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.supervisor.failure import CannotStart
from prefect_phantom.adapters.supervisor.home.home import Home
from prefect_phantom.adapters.supervisor.installation import Installation
from prefect_phantom.flows.inside.secrets import prefect_login
from prefect_phantom.flows.inside.tracing import collector_headers
from prefect_phantom.flows.process import grace

SYSTEM_NAMES = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LANG",
        "TZ",
        "TMPDIR",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        *(
            name
            for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
            for name in (proxy, proxy.lower())
        ),
        "PYTHONDONTWRITEBYTECODE",
    }
)
"""Variables of the machine that every part may see. Those named ``LC_*`` come on top."""

PREFECT_CLIENT_NAMES = frozenset(
    {
        "PREFECT_API_AUTH_STRING",
        "PREFECT_API_KEY",
        "PREFECT_API_SSL_CERT_FILE",
        "PREFECT_API_TLS_INSECURE_SKIP_VERIFY",
        "PREFECT_CLIENT_CUSTOM_HEADERS",
    }
)
"""How to reach a Prefect server that the user runs."""

NOT_FOR_RUNS = SECRETS.difference(prefect_login.VARIABLES, collector_headers.VARIABLES)
"""Never given to a run, even when asked for."""


CALLERS_NAMES = frozenset({"PREFECT_PHANTOM_TOKEN"})
"""Of whoever typed `up`, for the command line. A backup keeps what the gateway was started with."""
JSON_LINES = "PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER"
"""Prefect's own JSON, in its server."""
LEAST_RETENTION_SECONDS = 3601
"""Prefect keeps a flow run for more than an hour."""


def refuse_secrets(names: Iterable[str]) -> None:
    """Raise `CannotStart` when the setting ``run_environment`` names something secret."""
    refused = NOT_FOR_RUNS.intersection(names)
    if refused:
        raise CannotStart(
            f"Runs never see {', '.join(sorted(refused))}: take it out of"
            " PREFECT_PHANTOM_RUN_ENVIRONMENT"
        )


def postgres_environment(home: Home, surroundings: Mapping[str, str]) -> dict[str, str]:
    """PostgreSQL: the machine's variables alone."""
    return _base(home, surroundings, "PostgreSQL")


def logs_environment(home: Home, surroundings: Mapping[str, str]) -> dict[str, str]:
    """What writes the logs: the machine's variables alone."""
    return _base(home, surroundings, "logs")


def prefect_environment(installation: Installation) -> dict[str, str]:
    """Prefect server: what the user set for it stands, except for what we depend on."""
    chosen = {
        name: value
        for name, value in installation.surroundings.items()
        if name.startswith(("PREFECT_SERVER_", "PREFECT_LOGGING_"))
    }
    return (
        {
            "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "20",
            "PREFECT_SERVER_DATABASE_SQLALCHEMY_MAX_OVERFLOW": "20",
            # One transaction for many task runs and events instead of one for each.
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
            "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
            "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "50",
        }
        | ({JSON_LINES: "json"} if installation.settings.log_format == "json" else {})
        | _retention(installation.settings)
        | chosen
        | _base(installation.home, installation.surroundings, "Prefect server")
        | {
            "PREFECT_HOME": str(installation.home.prefect),
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": installation.prefect_database_url,
            "PREFECT_SERVER_API_AUTH_STRING": installation.home.prefect_auth,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            # The default, in memory, leaves slots taken for good when the server dies with them.
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
                "prefect.server.concurrency.lease_storage.filesystem"
            ),
            "PREFECT_SERVER_UI_API_URL": installation.prefect_api_url,
        }
    )


def gateway_environment(installation: Installation) -> dict[str, str]:
    """Gateway: our own code, which sees the user's variables and what was decided at this start."""
    settings, home = installation.settings, installation.home
    password = installation.generated_password or (
        settings.admin_password.get_secret_value() if settings.admin_password else None
    )
    decided = {
        "PREFECT_PHANTOM_HOST": settings.host,
        "PREFECT_PHANTOM_PORT": str(installation.ports.gateway),
        "PREFECT_PHANTOM_HTTP": str(settings.http).lower(),
        "PREFECT_PHANTOM_RUNTIME_PORT": str(installation.ports.runtime),
        "PREFECT_PHANTOM_RUNTIME_URL": installation.runtime_url,
        "PREFECT_PHANTOM_RUNTIME_KEY": installation.runtime_key,
        "PREFECT_PHANTOM_DATABASE_URL": installation.phantom_database_url,
        "PREFECT_PHANTOM_SAMPLE_DATA": str(settings.sample_data).lower(),
        "PREFECT_PHANTOM_CERTIFICATE": str((settings.certificate or home.certificate).resolve()),
        "PREFECT_PHANTOM_CERTIFICATE_KEY": str(
            (settings.certificate_key or home.certificate_key).resolve()
        ),
        "PREFECT_PHANTOM_OPERATOR_TOKEN": home.operator_token,
    }
    optional = {
        "PREFECT_PHANTOM_ADMIN_PASSWORD": password,
        "PREFECT_PHANTOM_PLAYBOOK_IDS": settings.playbook_ids and settings.playbook_ids.resolve(),
        "PREFECT_PHANTOM_SAMPLE_WHOIS_PORT": installation.ports.whois,
    }
    given = {name: str(value) for name, value in optional.items() if value is not None}
    # A Prefect profile of the user's would be looked for in our home, and missed there.
    inherited = {
        name: value
        for name, value in installation.surroundings.items()
        if not name.startswith(("PREFECT_PROFILE", "PREFECT_SERVER_"))
        and name not in PREFECT_CLIENT_NAMES | CALLERS_NAMES
    }
    return (
        inherited
        | _base(installation.home, installation.surroundings, "gateway")
        | _prefect_client(installation)
        | decided
        | given
    )


def kept_settings(installation: Installation) -> str:
    """What gateway and worker are started with, without secrets, as JSON: a backup keeps it."""
    variables = gateway_environment(installation) | worker_environment(installation)
    return json.dumps(
        {
            name: value
            for name, value in sorted(variables.items())
            if name.startswith("PREFECT_PHANTOM_") and name not in SECRETS.union(MARKS)
        }
    )


def worker_environment(installation: Installation) -> dict[str, str]:
    """Worker: an allow-list, because runs inherit it."""
    settings = installation.settings
    chosen = _only(installation.surroundings, frozenset(settings.run_environment))
    chosen |= {
        name: value for name, value in installation.surroundings.items() if name.startswith("OTEL_")
    }
    if settings.worker_limit is not None:
        chosen["PREFECT_PHANTOM_WORKER_LIMIT"] = str(settings.worker_limit)
    return (
        chosen
        | _base(installation.home, installation.surroundings, "worker")
        | _prefect_client(installation)
        | {
            "PREFECT_PHANTOM_RUNTIME_URL": installation.runtime_url,
            "PREFECT_PHANTOM_RUNTIME_KEY": installation.runtime_key,
            "PREFECT_PHANTOM_WORKER_NAME": settings.worker_name,
            grace.VARIABLE: str(settings.grace_seconds),
            "PREFECT_PHANTOM_WORK_POOL": settings.work_pool,
            "PREFECT_PHANTOM_WORKER_TYPE": settings.worker_type,
            "PREFECT_PHANTOM_LOG_FORMAT": settings.log_format,
            "PREFECT_PHANTOM_PLAYBOOKS": _folders(settings.playbooks),
            "PREFECT_PHANTOM_PLAYBOOK_SCAN_SECONDS": str(settings.playbook_scan_seconds),
            "PREFECT_PHANTOM_PLAYBOOK_IMPORT_SECONDS": str(settings.playbook_import_seconds),
            "PREFECT_PHANTOM_APPS": _folders(settings.apps),
        }
        | _own_places(installation)
    )


def whois_environment(installation: Installation) -> dict[str, str]:
    """Sample WHOIS responder: the machine's variables alone."""
    return _base(installation.home, installation.surroundings, "sample WHOIS")


def _folders(folders: Iterable[Path]) -> str:
    """Such that they are the same wherever a part works."""
    return ":".join(str(folder.expanduser().resolve()) for folder in folders)


def _retention(settings: Settings) -> dict[str, str]:
    """Prefect's own removal of flow runs with their logs, for as long as we keep ours."""
    if settings.keep_run_days is None:
        return {}
    seconds = max(settings.keep_run_days * 86400, LEAST_RETENTION_SECONDS)
    return {
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(int(seconds)),
    }


def _base(home: Home, surroundings: Mapping[str, str], part: str) -> dict[str, str]:
    folder = str(Path(sys.executable).parent)  # unresolved: the one of the virtual environment
    paths = [folder, surroundings.get("PATH", os.defpath)]
    return {
        **_only(surroundings, SYSTEM_NAMES),
        **{name: value for name, value in surroundings.items() if name.startswith("LC_")},
        "PATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        HOME_VARIABLE: str(home.path),
        PART_VARIABLE: part,
    }


def _prefect_client(installation: Installation) -> dict[str, str]:
    found = {
        "PREFECT_HOME": str(installation.home.prefect),
        "PREFECT_API_URL": installation.prefect_api_url,
    }
    if installation.ports.prefect is None:
        return found | _only(installation.surroundings, PREFECT_CLIENT_NAMES)
    return found | {
        "PREFECT_API_AUTH_STRING": installation.home.prefect_auth,
        # Our own server is of our own version, and has no CSRF protection to ask a token of.
        "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",
        "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
        # It is reached over plain HTTP, yet each client reads these authorities when it is made,
        # several for every run: one certificate instead of the hundred of the default takes 30 ms
        # of CPU less, each time.
        "PREFECT_API_SSL_CERT_FILE": str(installation.home.certificate),
    }


def _own_places(installation: Installation) -> dict[str, str]:
    """Where a worker of another user keeps its files: the home is closed to it."""
    account = installation.account
    if account is None:
        return {}
    places = {
        "HOME": str(account.folder),
        "USER": account.name,
        "TMPDIR": str(account.temporary),
        "PREFECT_HOME": str(account.prefect),
    }
    if installation.ports.prefect is not None:
        places["PREFECT_API_SSL_CERT_FILE"] = str(account.certificate)
    return places


def _only(surroundings: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in surroundings.items() if name in names}
