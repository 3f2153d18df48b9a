"""The command line, ``prefect-phantom``."""

from __future__ import annotations

from importlib.metadata import version

import cyclopts

from adapters.cli import activation, asset, container, forgetting, playbook, role, run, token, user
from adapters.cli.arguments import move_secrets

app = cyclopts.App(
    name="prefect-phantom",
    help="Phantom's REST contract, carried out by Prefect.",
    # Its own would be that of the module, which is called otherwise.
    version=lambda: version("prefect-phantom"),
)
# Imported when they are called: their imports would double the time of every other command.
app.command("adapters.cli.up:up", help="Start all parts on this machine.")
app.command("adapters.cli.gateway:gateway", help="Serve the REST contract and the runtime API.")
app.command("adapters.cli.worker:app", name="worker", help="Run playbooks.")
app.command("adapters.cli.backup:backup", help="Write a home into one file.")
app.command("adapters.cli.restore:restore", help="Make a home from the file of a backup.")
app.command("adapters.cli.doctor:doctor", help="Check every part and say what to do.")
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
