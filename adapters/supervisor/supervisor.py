"""Starts the parts in their order, keeps them running, and stops them in the reverse order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from prefect_phantom.adapters.process.parent import Parent
from prefect_phantom.adapters.process.stop_signals import stop_event
from prefect_phantom.adapters.security.exposure import (
    password_refusal,
    password_warning,
    refusals,
    repository_refusals,
)
from prefect_phantom.adapters.settings import PHANTOM_DATABASE, PREFECT_DATABASE, Settings
from prefect_phantom.adapters.store.database.database import create_database
from prefect_phantom.adapters.supervisor.administrator import has_administrator
from prefect_phantom.adapters.supervisor.failure import CannotStart
from prefect_phantom.adapters.supervisor.home.account import Account
from prefect_phantom.adapters.supervisor.home.certificate import make_certificate
from prefect_phantom.adapters.supervisor.home.folders import folder_refusals
from prefect_phantom.adapters.supervisor.home.home import Home
from prefect_phantom.adapters.supervisor.home.leftover import end_leftovers
from prefect_phantom.adapters.supervisor.installation import Installation, Ports, make_password
from prefect_phantom.adapters.supervisor.logs.logs import Logs
from prefect_phantom.adapters.supervisor.parts import parts
from prefect_phantom.adapters.supervisor.parts.environment import (
    kept_settings,
    logs_environment,
    postgres_environment,
    refuse_secrets,
)
from prefect_phantom.adapters.supervisor.parts.part import Definition, Part, Report, State
from prefect_phantom.adapters.supervisor.parts.pipes import Pipes
from prefect_phantom.adapters.supervisor.parts.probe import wait_for_server
from prefect_phantom.adapters.supervisor.postgres.postgres import Postgres
from prefect_phantom.adapters.supervisor.postgres.roles import give_to_its_role

STOP_SECONDS = 10.0
"""All is over within this, and the grace of runs on top."""
RESERVED_SECONDS = {
    "worker": 5.0,  # it kills runs after their grace, and reports them
    "gateway": 4.0,
    "sample WHOIS": 4.0,
    "Prefect server": 2.5,
    "PostgreSQL": 1.5,
}
"""Parts in the order of their stop, and how much time must be left when force begins."""


class Supervisor:
    """Runs one installation, from `run` to a signal."""

    def __init__(
        self, settings: Settings, report: Report, ready: Callable[[Installation], None]
    ) -> None:
        self._settings = settings
        self._report = report
        self._ready = ready
        self._home = Home(settings.home)
        self._parts: dict[str, Part] = {}
        self._pipes = Pipes(RESERVED_SECONDS)
        self._logs = Logs(
            logs_environment(self._home, os.environ),
            lambda sentence: report("logs", State.ENDED, sentence),
        )

    async def run(self) -> None:
        """Start everything, call `ready`, and return when a signal came and all is stopped.

        Raises `CannotStart` when a part does not start the first time; the others are stopped.
        """
        stopping = stop_event()
        Parent().stop_after(seconds=self._settings.grace_seconds + 2 * STOP_SECONDS)
        refuse_secrets(self._settings.run_environment)
        for refused in (refusals, folder_refusals, repository_refusals):
            for refusal in refused(self._settings):
                raise CannotStart(refusal)
        self._home.prepare()
        with self._home.lock():
            starting = asyncio.create_task(self._start())
            signalled = asyncio.create_task(stopping.wait())
            try:
                await asyncio.wait({starting, signalled}, return_when=asyncio.FIRST_COMPLETED)
                if starting.done():
                    self._ready(starting.result())
                    await signalled
            finally:
                signalled.cancel()
                starting.cancel()
                await asyncio.wait({starting})
                await self._stop()

    async def _start(self) -> Installation:
        self._home.url_file.unlink(missing_ok=True)
        count = await end_leftovers(self._home.path)
        if count:
            self._report("earlier start", State.STOPPED, f"ended {count} processes it had left")
        account = Account.of_worker(self._settings)
        await self._logs.start()
        make_certificate(self._home, self._settings.host)
        if account is not None:
            # Before anything of it is used: it may not be readable to that user.
            await account.require_readable(*self._settings.playbooks, *self._settings.apps)
            await account.prepare(self._home.certificate)
        ports = Ports.choose(self._settings, self._home)
        server = self._settings.database_url or await self._start_postgres()
        password = await self._prepare_databases(server, own_prefect=ports.prefect is not None)
        installation = Installation(
            settings=self._settings,
            home=self._home,
            surroundings=dict(os.environ),
            database_server=server,
            ports=ports,
            account=account,
            generated_password=password,
        )
        self._home.write(self._home.settings_file, kept_settings(installation))
        await self._start_servers(installation)
        await self._start_part(parts.worker(installation))
        self._home.write(self._home.url_file, f"{installation.url}\n")
        return installation

    async def _start_postgres(self) -> str:
        postgres = Postgres(self._home, postgres_environment(self._home, os.environ))
        self._report("PostgreSQL", State.STARTING, "")
        await postgres.prepare()
        await self._start_part(postgres.definition())
        return postgres.url

    async def _prepare_databases(self, server: str, *, own_prefect: bool) -> str | None:
        """Make the databases; return a password when the administrator is still to be made."""
        try:
            await create_database(server, PHANTOM_DATABASE)
            if own_prefect:
                await create_database(server, PREFECT_DATABASE)
            if self._settings.database_url is None:
                for name in [PHANTOM_DATABASE, *([PREFECT_DATABASE] if own_prefect else [])]:
                    await give_to_its_role(server, name)
            if await has_administrator(server):
                return None
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError) as error:
            raise CannotStart(
                f"PostgreSQL cannot be used ({str(error).splitlines()[0]}): check --database-url"
            ) from error
        if self._settings.admin_password is None:
            return make_password()
        if refusal := password_refusal(self._settings):
            raise CannotStart(refusal)
        if warning := password_warning(self._settings):
            self._report("gateway", State.STARTING, warning)
        return None

    async def _start_servers(self, installation: Installation) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._start_gateway(installation))
                if installation.ports.prefect is not None:
                    group.create_task(self._start_part(parts.prefect_server(installation)))
                else:
                    group.create_task(self._wait_for_prefect(installation.prefect_api_url))
                if installation.ports.whois is not None:
                    group.create_task(self._start_part(parts.sample_whois(installation)))
        except* CannotStart as failures:
            raise failures.exceptions[0] from None

    async def _wait_for_prefect(self, url: str) -> None:
        """Wait for a server of the user's own: without it no run would be carried out."""
        await wait_for_server(
            f"{url.rstrip('/')}/health",
            lambda wrong: self._report(
                "Prefect server",
                State.STARTING,
                f"waiting for {url}, as PREFECT_API_URL says: it does not answer ({wrong})",
            ),
        )
        self._report("Prefect server", State.READY, f"{url} is used, as PREFECT_API_URL says")

    async def _start_gateway(self, installation: Installation) -> None:
        await self._start_part(parts.gateway(installation))
        if installation.generated_password is not None:
            # Now it is stored, as a hash: shown once, even when another part does not start.
            self._report(
                "gateway", State.READY, f"admin password: {installation.generated_password}"
            )

    async def _start_part(self, definition: Definition) -> None:
        part = self._parts[definition.name] = Part(
            definition, self._home.path, self._report, self._pipes, self._logs
        )
        await part.start()

    async def _stop(self) -> None:
        """Stop every part, even one that is just starting, and end what may have escaped."""
        over = asyncio.get_running_loop().time() + self._settings.grace_seconds + STOP_SECONDS
        for name, reserved in RESERVED_SECONDS.items():
            if name not in self._parts:
                continue
            try:
                await self._parts[name].stop(over - reserved)
            except Exception as error:  # noqa: BLE001 - the others are stopped all the same
                self._report(name, State.ENDED, str(error))
        await self._logs.close()
        await end_leftovers(self._home.path)
        self._home.url_file.unlink(missing_ok=True)
