"""What the handlers of one gateway share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from starlette.requests import Request

from prefect_phantom.adapters.between.announcement import Announcement
from prefect_phantom.adapters.between.asset_keeper import AssetKeeper
from prefect_phantom.adapters.between.condition import PrefectCondition
from prefect_phantom.adapters.between.deployment_keeper import DeploymentKeeper
from prefect_phantom.adapters.between.permissions import Permission
from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.errors import PermissionMissing
from prefect_phantom.adapters.rest.layers.rates import Rates
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.accounts.credentials import Credentials
from prefect_phantom.adapters.store.accounts.users import User
from prefect_phantom.adapters.store.database.database import Database


def unheard(announcement: Announcement) -> None:
    """What `Gateway.announce` does where nobody tells Prefect."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Store, settings, and the loops to wake; one per application."""

    database: Database
    settings: Settings
    dispatch: Signal
    """Wakes the loop that creates flow runs for accepted runs."""
    reconcile: Signal
    """Wakes the loop that compares runs with Prefect, and carries out cancels."""
    stop: Callable[[UUID], None]
    """Tells the workers to end the process of a flow run."""
    credentials: Credentials
    prefect: Callable[[], Awaitable[PrefectCondition]]
    """Asks Prefect how it is."""
    rates: Rates
    """How many requests callers have sent."""
    keeper: AssetKeeper
    """Keeps secrets and limits of assets in Prefect."""
    deployments: DeploymentKeeper
    """Knows and deletes the deployments of playbooks in Prefect."""
    announce: Callable[[Announcement], None] = unheard
    """Tells Prefect what was made, without waiting for it."""

    @classmethod
    def of(cls, request: Request) -> Self:
        """The gateway that serves `request`."""
        gateway: Self = request.scope["gateway"]
        return gateway


def caller(request: Request) -> User:
    """Who sent `request`, as `Authentication` found out."""
    user: User = request.user
    return user


def require(request: Request, permission: Permission) -> None:
    """Raise `PermissionMissing` when the caller lacks `permission`."""
    user = caller(request)
    if permission not in user.permissions:
        raise PermissionMissing(user.username, permission)
