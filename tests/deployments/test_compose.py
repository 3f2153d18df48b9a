"""The compose file, as Docker would read it."""

from __future__ import annotations

import importlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import asyncpg
import pytest
import yaml

from prefect_phantom.adapters.settings import PHANTOM_DATABASE
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.supervisor.postgres.postgres import own_binaries
from tests.deployments.variables import refused, unknown

VALUE, FOLDER = "f00dbabe", "/srv/f00dbabe"
FOLDERS = ("PLAYBOOKS", "CERTIFICATE", "CERTIFICATE_KEY")
PLACE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}")


def example(deployments: Path) -> set[str]:
    """The variables in example.env, those that are commented out too."""
    lines = (deployments / "example.env").read_text().splitlines()
    return {found[1] for line in lines if (found := re.match(r"(?:# )?([A-Z_]+)=", line))}


@pytest.fixture
def compose(deployments: Path) -> dict[str, Any]:
    """The file with its merges carried out and its variables filled in."""

    def fill(found: re.Match[str]) -> str:
        if found["kind"] == "-":
            return found["rest"]
        return FOLDER if found["name"] in FOLDERS else VALUE

    text = (deployments / "compose.yaml").read_text()
    filled: dict[str, Any] = yaml.safe_load(PLACE.sub(fill, text).replace("$$", "$"))
    return filled


@pytest.mark.usefixtures("tools")
def test_it_is_a_compose_file_without_a_word_that_means_nothing(compose: dict[str, Any]) -> None:
    parser = importlib.import_module("compose_spec").PyCompose
    parsed = parser.from_yaml(yaml.safe_dump(compose))
    parsed.validate_networks()
    parsed.validate_volumes()
    parsed.validate_secrets()
    assert set(parsed.service_names()) == set(compose["services"])
    compose["services"]["gateway"]["comand"] = "x"
    with pytest.raises(ValueError, match="comand"):
        parser.from_yaml(yaml.safe_dump(compose))


def test_what_each_service_waits_for_is_there_and_can_be_waited_for(
    compose: dict[str, Any],
) -> None:
    for name, service in compose["services"].items():
        for other, said in service.get("depends_on", {}).items():
            awaited = compose["services"][other]
            if said["condition"] == "service_healthy":
                assert "healthcheck" in awaited, (name, other)
            else:
                assert said["condition"] == "service_completed_successfully"
                assert awaited["restart"] == "on-failure"


def test_every_variable_is_read_by_somebody_and_has_a_value_that_is_taken(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    environments = {name: service.get("environment", {}) for name, service in services.items()}
    assert unknown(name for each in environments.values() for name in each) == []
    assert refused(environments) == {}


def test_a_wrong_name_or_value_would_be_seen() -> None:
    assert unknown(["PREFECT_SERVER_DOCKET_URI", "PREFECT_PHANTOM_HOSTS", "PREFECT_API_URL"]) == [
        "PREFECT_PHANTOM_HOSTS",
        "PREFECT_SERVER_DOCKET_URI",
    ]
    wrong = {
        "ours": {"PREFECT_PHANTOM_PORT": "8443x"},
        "prefect": {"PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "many"},
        "redis": {"PREFECT_REDIS_MESSAGING_PORT": "x"},
        "module": {"PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.order"},
        "right": {"PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering"},
    }
    assert set(refused(wrong)) == {"ours", "prefect", "redis", "module"}


def test_secrets_come_from_outside_and_the_example_names_all_that_is_asked_for(
    deployments: Path,
) -> None:
    text = (deployments / "compose.yaml").read_text()
    assert {found["name"] for found in PLACE.finditer(text)} == example(deployments)
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        if re.search(r"PASSWORD$|KEY$|AUTH|_URL$", name) and name.isupper():
            assert PLACE.search(value) or "@" not in value, line
            assert "PASSWORD" not in name or PLACE.search(value), line


def test_whatever_prefect_keeps_in_redis_has_redis_for_its_address(compose: dict[str, Any]) -> None:
    """Each has an address of its own, whose default is a Redis in the same container."""
    for name in ("prefect-server", "prefect-services"):
        variables = compose["services"][name]["environment"]
        modules = {
            str(value).rpartition(".")[2]
            for value in variables.values()
            if "prefect_redis" in value
        }
        assert modules == {"messaging", "ordering", "lease_storage", "cleanup_queue"}
        for owner in ("SERVER_DOCKET", "REDIS_MESSAGING", "REDIS_WORKER_CLEANUP_QUEUE"):
            assert "@redis:6379" in variables[f"PREFECT_{owner}_URL"]


def test_playbooks_are_the_workers_and_the_gateway_sees_none(compose: dict[str, Any]) -> None:
    services = compose["services"]
    having = {name for name, each in services.items() if "/srv/playbooks" in str(each)}
    assert having == {"worker"}


@pytest.mark.attack(
    "a playbook in a container that looks for the runtime key in its first process",
    "that is a worker, which is not dumpable: no init of Docker's, no shell, no other container's",
)
def test_the_first_process_where_playbooks_are_is_the_worker(
    compose: dict[str, Any], deployments: Path
) -> None:
    worker = compose["services"]["worker"]
    assert worker["init"] is False
    assert worker["command"] == ["prefect-phantom", "worker"]
    assert {"entrypoint", "pid"}.isdisjoint(worker)
    lines = (deployments / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("ENTRYPOINT")] == ["ENTRYPOINT []"]
    values = yaml.safe_load((deployments / "helm" / "prefect-worker.yaml").read_text())["worker"]
    assert [*values["command"], *values["args"]] == ["prefect-phantom", "worker"]
    assert "shareProcessNamespace" not in (deployments / "helm" / "prefect-worker.yaml").read_text()
    assert {"extraContainers", "initContainer"}.isdisjoint(values)


def test_every_service_has_its_share_and_leaves_no_memory_on_a_disk(
    compose: dict[str, Any],
) -> None:
    for name, service in compose["services"].items():
        assert service["mem_limit"], name
        assert service["pids_limit"] > 0, name
        assert service["ulimits"] == {"core": 0, "nofile": 65536}, name
        assert "no-new-privileges:true" in service["security_opt"], name


def test_nobody_logs_in_to_postgresql_as_its_superuser(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            assert "postgres:f00dbabe@" not in str(value), (name, variable)


async def test_each_role_owns_its_database_and_no_other(
    own_postgres_url: str, deployments: Path
) -> None:
    """The script that the image of PostgreSQL runs at its first start, on a server of ours."""
    folder = own_postgres_url.partition("host=")[2]
    psql = own_binaries() / "psql"
    done = await anyio.run_process(
        [psql, "-v", "ON_ERROR_STOP=1", "--no-psqlrc", "-h", folder, "-U", "postgres",
         "-f", deployments / "roles.sql", "postgres"],
        env={"POSTGRES_PHANTOM_PASSWORD": "it's one", "POSTGRES_PREFECT_PASSWORD": "another"},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    async with connected(folder, "postgres", "postgres") as server:
        roles = await server.fetch(
            "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles"
            " WHERE rolname IN ('phantom', 'prefect')"
        )
    assert {each["rolname"] for each in roles} == {"phantom", "prefect"}
    assert not any(value is True for each in roles for value in each.values())
    database = await Database.open(f"postgresql://phantom@/?host={folder}", PHANTOM_DATABASE)
    await database.close()
    async with connected(folder, "prefect", "prefect") as prefect:
        await prefect.execute("CREATE EXTENSION pg_trgm")
    for role, other in (("prefect", "phantom"), ("phantom", "prefect")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connected(folder, role, other):
                pass


@asynccontextmanager
async def connected(folder: str, role: str, database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(f"postgresql://{role}@/{database}?host={folder}")
    try:
        yield connection
    finally:
        await connection.close()


def test_playbooks_have_no_way_to_the_databases(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert services["worker"]["networks"] == ["runs"]
    assert services["postgres"]["networks"] == services["redis"]["networks"] == ["data"]
    assert compose["networks"]["data"]["internal"] is True
    secret = {name for name in services["worker"]["environment"] if "DATABASE" in name}
    assert secret == set()
