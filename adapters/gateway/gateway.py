"""The gateway process: REST contract, runtime API, and the loops beside them."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import os

from prefect.client.orchestration import get_client

from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.between.permissions import ADMINISTRATOR
from prefect_phantom.adapters.between.prefect.outage import prefect_dependency
from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.gateway.host_names import host_names
from prefect_phantom.adapters.gateway.lease_server.process import LeaseProcess
from prefect_phantom.adapters.gateway.listeners import listen, listeners
from prefect_phantom.adapters.gateway.loop import beside, keep
from prefect_phantom.adapters.gateway.overdue import Overdue
from prefect_phantom.adapters.gateway.retention import Retention
from prefect_phantom.adapters.gateway.sweeper import Sweeper
from prefect_phantom.adapters.prefect.announcer import Announcer
from prefect_phantom.adapters.prefect.assets.apps import Apps
from prefect_phantom.adapters.prefect.assets.assets import PrefectAssets
from prefect_phantom.adapters.prefect.condition import read_condition
from prefect_phantom.adapters.prefect.deployments.deployments import Deployments
from prefect_phantom.adapters.prefect.deployments.gone_playbooks import GonePlaybooks
from prefect_phantom.adapters.prefect.deployments.kept_deployments import KeptDeployments
from prefect_phantom.adapters.prefect.deployments.repositories import Repositories
from prefect_phantom.adapters.prefect.queues.work_pool_watch import WorkPoolWatch
from prefect_phantom.adapters.prefect.runs.copies import is_copy
from prefect_phantom.adapters.prefect.runs.dispatch import Dispatcher
from prefect_phantom.adapters.prefect.runs.events import Events
from prefect_phantom.adapters.prefect.runs.reconcile import Reconciler
from prefect_phantom.adapters.process.parent import Parent
from prefect_phantom.adapters.process.private_program import forget_secrets
from prefect_phantom.adapters.process.stop_signals import stop_event
from prefect_phantom.adapters.rest.application import create_application
from prefect_phantom.adapters.rest.listener.loop_turns import LoopTurns
from prefect_phantom.adapters.rest.runtime.runtime import create_runtime_application
from prefect_phantom.adapters.sample.data import insert_sample_data
from prefect_phantom.adapters.security.administrator import GuessablePassword, prepare_administrator
from prefect_phantom.adapters.security.exposure import is_loopback, refusals, repository_refusals
from prefect_phantom.adapters.security.guessable import SHORTEST_KEY, objection
from prefect_phantom.adapters.settings import PHANTOM_DATABASE, Settings
from prefect_phantom.adapters.store.accounts import tokens
from prefect_phantom.adapters.store.case import labels
from prefect_phantom.adapters.store.database.availability import database_dependency
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.notices import Notices
from prefect_phantom.adapters.store.playbooks import found_playbooks
from prefect_phantom.flows.inside import tracing

OPERATOR = "operator"
"""The automation user whose token lies in the home folder, for the command line."""
OLD_LOOKS = 100
"""How many looks at young objects lie between two at all of them. These hold up the loop for 30 ms
with a thousand connections, and find next to nothing, since hardly anything here keeps itself."""
FLUSH_SECONDS = 2.0
"""How long at most the last spans hold up the end."""
logger = logging.getLogger("prefect_phantom.gateway")


async def run_gateway(settings: Settings) -> None:
    """Serve until a signal that means stop, or the end of the `up` that started it."""
    if not settings.database_url:
        message = "PREFECT_PHANTOM_DATABASE_URL must name a PostgreSQL server"
        raise SystemExit(message)
    if not settings.http and not (settings.certificate and settings.certificate_key):
        message = (
            "HTTPS needs PREFECT_PHANTOM_CERTIFICATE and PREFECT_PHANTOM_CERTIFICATE_KEY; "
            "`prefect-phantom up` makes them, and PREFECT_PHANTOM_HTTP=true goes without"
        )
        raise SystemExit(message)
    for refusal in (*refusals(settings), *repository_refusals(settings)):
        raise SystemExit(refusal)
    behind_tls = (settings.runtime_url or "").startswith("https://")
    if not is_loopback(settings.runtime_host) and not behind_tls:
        logger.warning(
            "The runtime API listens on %s without TLS: who can read that network can read the "
            "runtime key, and with it claim and end runs. Keep it to a network of its own, or put "
            "a proxy with TLS before it and name that in PREFECT_PHANTOM_RUNTIME_URL",
            settings.runtime_host,
        )
    if settings.runtime_url:
        logger.info("Runs and workers reach the runtime API at %s", settings.runtime_url)
    tracing.prepare()
    database = await Database.open(settings.database_url, PHANTOM_DATABASE)
    try:
        await _prepare(database, settings)
        await _serve(database, settings)
    finally:
        await database.close()
        tracing.flush(FLUSH_SECONDS)


async def _prepare(database: Database, settings: Settings) -> None:
    try:
        await prepare_administrator(database, settings)
    except GuessablePassword as error:
        raise SystemExit(str(error)) from None
    token = os.environ.pop("PREFECT_PHANTOM_OPERATOR_TOKEN", None)
    if token and (wrong := objection(token, SHORTEST_KEY)):
        logger.warning("PREFECT_PHANTOM_OPERATOR_TOKEN %s, and is nobody's token", wrong)
    elif token:
        await tokens.ensure_token(database, OPERATOR, token, roles=[ADMINISTRATOR])
    async with database.begin() as connection:
        await found_playbooks.save_repositories(connection, set(settings.repositories))
    forget_secrets()  # the settings have them
    if settings.labels:
        await labels.save(database, settings.labels)
    if settings.sample_data:
        port = int(os.environ.get("PREFECT_PHANTOM_SAMPLE_WHOIS_PORT", "43"))
        async with database.begin() as connection:
            await insert_sample_data(connection, whois_port=port)


async def _serve(database: Database, settings: Settings) -> None:
    dispatch, reconcile, reported = Signal(), Signal(), Signal()
    notices = Notices(database)
    hints = Hints(notices.tell)
    notices.subscribe(hints.hear)
    stop = stop_event()
    Parent().stop_after()
    names = host_names(settings, settings.runtime_host)
    lease_process = LeaseProcess(settings, database.url, names)
    async with get_client() as client:
        deployments = Deployments(database=database, client=client, settings=settings)
        repositories = Repositories(
            database=database,
            settings=settings,
            deployments=deployments,
            reported=reported,
            dispatch=dispatch,
        )
        gone = GonePlaybooks(database=database, client=client, reconcile=reconcile)
        watch = WorkPoolWatch(
            database=database, client=client, settings=settings, hints=hints, dispatch=dispatch
        )
        dispatcher = Dispatcher(
            database=database,
            client=client,
            settings=settings,
            deployments=deployments,
            signal=dispatch,
            reconcile=reconcile,
            hints=hints,
            prepare=watch.prepare,
        )
        reconciler = Reconciler(
            database=database,
            client=client,
            settings=settings,
            signal=reconcile,
            hints=hints,
        )
        sweeper = Sweeper(database=database, reconcile=reconcile)
        overdue = Overdue(database=database, settings=settings, reconcile=reconcile)
        retention = Retention(database=database, settings=settings)
        events = Events(hints=hints, reconciler=reconciler, watch=watch)
        announcer = Announcer(client=client, settings=settings)
        assets = PrefectAssets(database=database, client=client, apps=Apps(database))
        needs = [prefect_dependency(client, logger), database_dependency(database, logger)]
        runs = {
            "repositories": repositories.run,
            "gone playbooks": gone.run,
            "dispatch": dispatcher.run,
            "reconcile": reconciler.run,
            "work pool": watch.run,
            "events": events.run,
            "sweeper": sweeper.run,
            "overdue": overdue.run,
            "notices": notices.run,
            "retention": retention.run,
            "announcements": announcer.run,
            "assets": assets.run,
        }
        loops = [
            *(asyncio.create_task(keep(name, run, needs), name=name) for name, run in runs.items()),
            asyncio.create_task(keep("leases", lease_process.run), name="leases"),
        ]
        turns = LoopTurns()
        contract = create_application(
            database=database,
            settings=settings,
            dispatch=dispatch,
            reconcile=reconcile,
            stop=hints.stop,
            notices=notices,
            prefect=functools.partial(read_condition, client, settings.work_pool),
            keeper=assets,
            deployments=KeptDeployments(client),
            traced=tracing.begin(),
            announce=announcer.tell,
            names=host_names(settings, settings.host),
            turns=turns,
        )
        runtime = create_runtime_application(
            database=database,
            settings=settings,
            dispatch=dispatch,
            reconcile=reconcile,
            hints=hints,
            announce=announcer.tell,
            reported=reported,
            names=names,
            turns=turns,
            is_copy=functools.partial(is_copy, client),
            stopping=stop,
            lease_address=lease_process.address,
        )
        # What exists by now stays: looking at it in each collection would cost a sixth of the CPU.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*gc.get_threshold()[:2], OLD_LOOKS)
        async with beside(loops, stop):
            await listen(listeners(contract, runtime, settings, turns), stop)
    lease_process.close()
