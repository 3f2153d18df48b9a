"""The ticket of a flow run: the right to claim it and to answer for its process, and no other.

Worker and gateway make the same one of the runtime key, so that no run's process holds that key.
"""

from __future__ import annotations

import hmac
import os
from hashlib import sha256
from uuid import UUID

VARIABLE = "PREFECT_PHANTOM_TICKET"
KEY_VARIABLE = "PREFECT_PHANTOM_TICKET_KEY"
RUNTIME_KEY_VARIABLE = "PREFECT_PHANTOM_RUNTIME_KEY"
_held: dict[str, str] = {}


def ticket_key(runtime_key: str) -> str:
    """What tickets are made with. By itself it opens nothing, and the runtime key is not in it."""
    return _digest(runtime_key, "tickets")


def make_ticket(key: str, flow_run_id: UUID | str) -> str:
    """The ticket of a flow run, made with a `ticket_key`."""
    return f"{flow_run_id}.{_digest(key, str(flow_run_id))}"


def flow_run_of(ticket: str, key: str) -> UUID | None:
    """The flow run that a ticket is for; None for one that was not made with this `ticket_key`."""
    try:
        flow_run_id = UUID(ticket.partition(".")[0])
    except ValueError:
        return None
    expected = make_ticket(key, flow_run_id)
    return flow_run_id if hmac.compare_digest(ticket.encode(), expected.encode()) else None


def hold(ticket: str) -> None:
    """Keep the ticket of the run that this process carries out from now on."""
    _held["ticket"] = ticket


def held(flow_run_id: UUID | str) -> str:
    """The ticket that this process holds, or else one from its environment; empty without any."""
    return _held.get("ticket") or _from(dict(os.environ), flow_run_id)


def take(flow_run_id: UUID | str) -> str:
    """Take the ticket out of the environment, with all that makes one, so that nobody inherits it.

    Under a worker that is not ours the environment holds a key instead of a ticket.
    """
    names = (VARIABLE, KEY_VARIABLE, RUNTIME_KEY_VARIABLE)
    return _from({name: os.environ.pop(name, "") for name in names}, flow_run_id)


def _from(environment: dict[str, str], flow_run_id: UUID | str) -> str:
    if ticket := environment.get(VARIABLE):
        return ticket
    key, runtime_key = (environment.get(name, "") for name in (KEY_VARIABLE, RUNTIME_KEY_VARIABLE))
    if runtime_key:
        key = ticket_key(runtime_key)
    return make_ticket(key, flow_run_id) if key else ""


def _digest(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode(), sha256).hexdigest()
