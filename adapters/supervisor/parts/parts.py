"""The parts of an installation, and how each is run."""

from __future__ import annotations

from prefect_phantom.adapters.process.private_program import command
from prefect_phantom.adapters.supervisor.installation import LOOPBACK, Installation
from prefect_phantom.adapters.supervisor.logs.log import Log
from prefect_phantom.adapters.supervisor.parts.environment import (
    gateway_environment,
    prefect_environment,
    whois_environment,
    worker_environment,
)
from prefect_phantom.adapters.supervisor.parts.part import Definition
from prefect_phantom.adapters.supervisor.parts.probe import http_answers


def prefect_server(installation: Installation) -> Definition:
    """Stock Prefect server on loopback, with its UI."""
    environment = prefect_environment(installation)
    server = ["prefect_phantom.adapters.prefect", "server", "start", "--host", LOOPBACK]
    return Definition(
        name="Prefect server",
        command=command(environment, *server, "--port", str(installation.ports.prefect)),
        environment=environment,
        log=Log(installation.home.logs / "prefect-server.log"),
        ready=http_answers(f"{installation.prefect_api_url}/ready", installation.home.prefect_auth),
        advice="mend that, or name a Prefect server of your own with PREFECT_API_URL",
    )


def gateway(installation: Installation) -> Definition:
    """The REST contract and the runtime API."""
    environment = gateway_environment(installation)
    return Definition(
        name="gateway",
        command=command(environment, "prefect_phantom.adapters.cli", "gateway"),
        environment=environment,
        log=Log(installation.home.logs / "gateway.log"),
        ready=http_answers(f"{installation.url}/readyz"),
        advice="mend that and start again",
    )


def worker(installation: Installation) -> Definition:
    """What executes runs."""
    environment = worker_environment(installation)
    return Definition(
        name="worker",
        command=command(environment, "prefect_phantom.adapters.cli", "worker"),
        environment=environment,
        account=installation.account,
        log=Log(installation.home.logs / "worker.log"),
        ready=None,
        advice="mend that and start again",
    )


def sample_whois(installation: Installation) -> Definition:
    """Sample part: a WHOIS responder on loopback with made-up answers."""
    environment = whois_environment(installation)
    program = ["prefect_phantom.adapters.sample.whois_server", "--host", LOOPBACK]
    return Definition(
        name="sample WHOIS",
        command=command(environment, *program, "--port", str(installation.ports.whois)),
        environment=environment,
        log=Log(installation.home.logs / "sample-whois.log"),
        ready=None,
        advice="mend that, or start without --sample-data",
    )
