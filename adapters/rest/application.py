"""The ASGI application of the contract."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Collection
from typing import NoReturn
from uuid import UUID

from starlette.requests import Request
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from prefect_phantom.adapters.between.announcement import Announcement
from prefect_phantom.adapters.between.asset_keeper import AssetKeeper
from prefect_phantom.adapters.between.condition import PrefectCondition
from prefect_phantom.adapters.between.deployment_keeper import DeploymentKeeper
from prefect_phantom.adapters.between.permissions import Permission
from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.errors import EndpointNotFound
from prefect_phantom.adapters.rest.contract import (
    health,
    installation,
    metrics,
    prefect_phantom,
    routes,
)
from prefect_phantom.adapters.rest.contract.accounts import audit
from prefect_phantom.adapters.rest.contract.case import search
from prefect_phantom.adapters.rest.contract.route import EVERYONE, resource
from prefect_phantom.adapters.rest.contract.runs import playbook_run
from prefect_phantom.adapters.rest.gateway import Gateway, unheard
from prefect_phantom.adapters.rest.layers.access import Access
from prefect_phantom.adapters.rest.layers.answer_headers import AnswerHeaders
from prefect_phantom.adapters.rest.layers.audited import Audited
from prefect_phantom.adapters.rest.layers.authentication import Authentication
from prefect_phantom.adapters.rest.layers.failures import Failures
from prefect_phantom.adapters.rest.layers.hosts import Hosts
from prefect_phantom.adapters.rest.layers.origin import Origin
from prefect_phantom.adapters.rest.layers.paths import Paths
from prefect_phantom.adapters.rest.layers.proxies import Proxies
from prefect_phantom.adapters.rest.layers.rates import Rates
from prefect_phantom.adapters.rest.layers.strangers import Strangers
from prefect_phantom.adapters.rest.layers.traced import Traced
from prefect_phantom.adapters.rest.listener.limits import Limits
from prefect_phantom.adapters.rest.listener.loop_turns import LoopTurns
from prefect_phantom.adapters.rest.openapi.pages import Pages
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.accounts.credentials import Credentials
from prefect_phantom.adapters.store.accounts.login_throttle import LoginThrottle
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.database.notices import Notices

LAYERS: list[Callable[[ASGIApp], ASGIApp]] = [
    Access,
    Failures,  # answers for everything that stands below it
    Paths,
    Audited,
    Limits,
    Origin,
    Authentication,
]


class UnknownEndpoint:
    """Where a request ends that no resource took."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> NoReturn:
        """Raise `EndpointNotFound`."""
        raise EndpointNotFound(Request(scope, receive, send).url.path)


VIEW, CANCEL, ADMINISTER = Permission.VIEW, Permission.CANCEL, Permission.ADMINISTER

ROUTES = [
    # The first that fits is taken: what is asked for most comes first.
    resource(
        "/rest/playbook_run/{id}", get=(VIEW, playbook_run.show), post=(CANCEL, playbook_run.change)
    ),
    *routes.ROUTES,
    resource("/", get=(EVERYONE, health.front)),
    resource("/healthz", get=(EVERYONE, health.alive)),
    resource("/readyz", get=(EVERYONE, health.ready)),
    resource("/rest/version", get=(VIEW, installation.show_version)),
    resource("/rest/system_info", get=(VIEW, installation.show_system)),
    resource("/rest/search", get=(VIEW, search.index)),
    resource("/rest/audit", get=(ADMINISTER, audit.index)),
    resource("/rest/prefect_phantom/health", get=(ADMINISTER, prefect_phantom.health)),
]
"""Every path, with the permission that each of its methods needs. All are described."""
UNKNOWN = Route("/{path:path}", UnknownEndpoint(), include_in_schema=False)


def create_application(
    *,
    database: Database,
    settings: Settings,
    dispatch: Signal,
    reconcile: Signal,
    stop: Callable[[UUID], None],
    notices: Notices,
    prefect: Callable[[], Awaitable[PrefectCondition]],
    keeper: AssetKeeper,
    deployments: DeploymentKeeper,
    traced: bool = False,
    announce: Callable[[Announcement], None] = unheard,
    names: Collection[str] | None = None,
    turns: LoopTurns | None = None,
) -> ASGIApp:
    """The application that serves the contract from `database`.

    `dispatch` is notified of accepted runs, `reconcile` of cancels, and `stop` is told of the flow
    run to end. `prefect` asks Prefect how it is, and `keeper` keeps there what assets have,
    `deployments` what playbooks have.
    `traced` says whether spans are sent. `announce` is told of new containers and artifacts, and
    must not wait. `names` are those by which it may be asked; None is any. `turns` are those of the
    loop's strangers.
    Whoever calls this opens and closes the database and runs the two loops and `notices`.
    """
    throttle = LoginThrottle(settings.login_failures, settings.login_minutes)
    credentials = Credentials(database, notices, throttle)
    rates = Rates(settings.rate_limit)
    gateway = Gateway(
        database=database,
        settings=settings,
        dispatch=dispatch,
        reconcile=reconcile,
        stop=stop,
        credentials=credentials,
        prefect=prefect,
        rates=rates,
        keeper=keeper,
        deployments=deployments,
        announce=announce,
    )
    # Starlette's own application would add three layers, for errors that `Failures` answers.
    routes, layers = ROUTES, LAYERS
    if names is not None:
        above = layers.index(Origin)
        layers = [*layers[:above], functools.partial(Hosts, names=names), *layers[above:]]
    layers = [functools.partial(Strangers, turns=turns or LoopTurns()), *layers]
    if traced:
        layers = [Traced, *layers]
    if settings.trusted_proxies:
        layers = [functools.partial(Proxies, networks=settings.trusted_proxies), *layers]
    if settings.metrics:
        routes = [
            resource(
                "/metrics", get=(EVERYONE, metrics.Page(database, settings.metrics_token).show)
            ),
            *ROUTES,
        ]
        layers = [metrics.Measured, *layers]
    layers = [functools.partial(AnswerHeaders, hsts_seconds=settings.hsts_seconds), *layers]
    routes = [*routes, *Pages(routes).routes, UNKNOWN]
    application: ASGIApp = Router(routes, redirect_slashes=False)
    for layer in reversed(layers):
        application = layer(application)
    return Served(application, gateway)


class Served:
    """An application whose handlers find their `Gateway` in each request."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self.app = app
        self.gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        scope["gateway"] = self.gateway
        await self.app(scope, receive, send)
