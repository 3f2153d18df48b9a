"""The command line, ``prefect-phantom``."""

from __future__ import annotations

import asyncio
import logging
import sys

import cyclopts

from adapters.cli import playbook, run, token
from adapters.settings import Settings

app = cyclopts.App(name="prefect-phantom", help="Phantom's REST contract, carried out by Prefect.")
# Imported when it is called: its imports would double the time of every other command.
app.command("adapters.cli.up:up", help="Start all parts on this machine.")
app.command(playbook.app)
app.command(run.app)
app.command(token.app)


@app.command
def gateway() -> None:
    """Serve the REST contract and the runtime API; settings come from the environment."""
    import uvloop  # noqa: PLC0415 - other commands start faster without it

    from adapters.gateway import run_gateway  # noqa: PLC0415 - likewise: this one imports Prefect

    _log_from_here()
    uvloop.run(run_gateway(Settings()))


@app.command
def worker() -> None:
    """Run playbooks; settings come from the environment."""
    from adapters.prefect.worker import run_worker  # noqa: PLC0415 - see `gateway`

    _log_from_here()
    sys.exit(asyncio.run(run_worker(Settings())))


def main() -> None:
    """Entry point of the command."""
    app()


def _log_from_here() -> None:
    # After the import of Prefect, which sets logging up its own way.
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    # One line per request of the Prefect client says nothing that the loops do not say better.
    logging.getLogger("httpx").setLevel(logging.WARNING)
