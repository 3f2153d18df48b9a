"""The ASGI application of the contract."""

from __future__ import annotations

from typing import NoReturn

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from adapters.errors import EndpointNotFound
from adapters.rest import artifact, container, health, ph_user, playbook, playbook_run
from adapters.rest.access import Access
from adapters.rest.authentication import Authentication
from adapters.rest.failures import Failures
from adapters.rest.gateway import Gateway
from adapters.rest.origin import Origin
from adapters.rest.paths import Paths
from adapters.rest.resources import resource
from adapters.settings import Settings
from adapters.signal import Signal
from adapters.store.credentials import Credentials
from adapters.store.database import Database
from adapters.store.notices import Notices

MIDDLEWARE = [
    Middleware(Access),
    Middleware(Failures),  # answers for everything that stands below it
    Middleware(Paths),
    Middleware(Origin),
    Middleware(Authentication),
]


class UnknownEndpoint:
    """Where a request ends that no resource took."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> NoReturn:
        """Raise `EndpointNotFound`."""
        raise EndpointNotFound(Request(scope, receive, send).url.path)


ROUTES = [
    resource("/", get=health.front),
    resource("/healthz", get=health.alive),
    resource("/readyz", get=health.ready),
    resource("/rest/playbook_run", post=playbook_run.start),
    resource("/rest/playbook_run/{id}", get=playbook_run.show, post=playbook_run.cancel),
    resource("/rest/container", post=container.create),
    resource("/rest/container/{id}", get=container.show),
    resource("/rest/artifact", post=artifact.create),
    resource("/rest/artifact/{id}", get=artifact.show),
    resource("/rest/playbook", get=playbook.index),
    resource("/rest/playbook/{id}", get=playbook.show, post=playbook.set_id),
    resource("/rest/ph_user", post=ph_user.create),
    resource("/rest/ph_user/{id}", get=ph_user.show),
    Route("/{path:path}", UnknownEndpoint()),
]


def create_application(
    *,
    database: Database,
    settings: Settings,
    dispatch: Signal,
    reconcile: Signal,
    notices: Notices,
) -> Starlette:
    """The application that serves the contract from `database`.

    `dispatch` is notified of accepted runs, `reconcile` of cancels. Whoever calls this opens and
    closes the database and runs the two loops and `notices`.
    """
    application = Starlette(routes=ROUTES, middleware=MIDDLEWARE)
    application.state.gateway = Gateway(
        database, settings, dispatch, reconcile, Credentials(database, notices)
    )
    return application
