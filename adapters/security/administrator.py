"""The first administrator, with the password that the settings say."""

from __future__ import annotations

import logging

from prefect_phantom.adapters.security.exposure import is_open, password_refusal, password_warning
from prefect_phantom.adapters.security.guessable import SHOWN_IN_GUIDES, objection
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.accounts import users
from prefect_phantom.adapters.store.accounts.users import FIRST_ADMINISTRATOR
from prefect_phantom.adapters.store.database.database import Database

logger = logging.getLogger("prefect_phantom.administrator")


class GuessablePassword(Exception):
    """The administrator would get a password that anybody tries first; ``str`` says which."""


async def prepare_administrator(database: Database, settings: Settings) -> None:
    """Make the first administrator, or give the password to the one that there is.

    One that is refused changes nothing. Raises `GuessablePassword` when nobody is administrator
    without it; where there is one already, that is said in the log and no reason not to start.
    """
    if settings.admin_password is None:
        return
    exists = await users.find(database, FIRST_ADMINISTRATOR) is not None
    if refusal := password_refusal(settings):
        if not exists:
            raise GuessablePassword(refusal)
        logger.warning("%s. The administrator keeps the password that there is", refusal)
        return
    if not exists and (warning := password_warning(settings)):
        logger.warning("%s", warning)
    await users.ensure_administrator(database, settings.admin_password.get_secret_value())


async def is_guessable(database: Database, settings: Settings) -> bool:
    """Whether the first administrator has the password of the settings, and it is a bad one.

    One that nothing speaks against is not computed, which takes a fifth of a second.
    """
    if settings.admin_password is None:
        return False
    password = settings.admin_password.get_secret_value()
    if not objection(password):
        return False
    return await users.has_password(database, FIRST_ADMINISTRATOR, password)


async def has_shown_password(database: Database, settings: Settings) -> bool:
    """Whether others reach a gateway whose first administrator has the password of our guides.

    That may have been given while nobody else reached it. Takes a fifth of a second then.
    """
    if not is_open(settings):
        return False
    return await users.has_password(database, FIRST_ADMINISTRATOR, SHOWN_IN_GUIDES)
