"""The command line, ``prefect-phantom``."""

from __future__ import annotations

from importlib.metadata import version

import cyclopts

from prefect_phantom.adapters.cli import asset, container, run
from prefect_phantom.adapters.cli.accounts import role, token, user
from prefect_phantom.adapters.cli.arguments import move_secrets
from prefect_phantom.adapters.cli.playbooks import activation, forgetting, playbook

app = cyclopts.App(
    name="prefect-phantom",
    help="Phantom's REST contract, carried out by Prefect.",
    # Its own would be that of the module, which is called otherwise.
    version=lambda: version("prefect-phantom"),
)
# Imported when they are called: their imports would double the time of every other command.
app.command("prefect_phantom.adapters.cli.parts.up:up", help="Start all parts on this machine.")
app.command(
    "prefect_phantom.adapters.cli.parts.gateway:gateway",
    help="Serve the REST contract and the runtime API.",
)
app.command("prefect_phantom.adapters.cli.parts.worker:app", name="worker", help="Run playbooks.")
app.command("prefect_phantom.adapters.cli.parts.backup:backup", help="Write a home into one file.")
app.command(
    "prefect_phantom.adapters.cli.parts.restore:restore",
    help="Make a home from the file of a backup.",
)
app.command(
    "prefect_phantom.adapters.cli.parts.doctor:doctor", help="Check every part and say what to do."
)
playbook.app.command(activation.activate)
playbook.app.command(activation.deactivate)
playbook.app.command(forgetting.forget)
app.command(playbook.app)
app.command(run.app)
app.command(container.app)
app.command(asset.app)
app.command(token.app)
app.command(user.app)
app.command(role.app)


def main() -> None:
    """Entry point of the command."""
    move_secrets()
    app()
