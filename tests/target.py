"""The server that the conformance tests ask: one that is named, or the session's own.

Of one that is named `PHANTOM_TOKEN` is an automation user's token, and `PHANTOM_LOGIN`, if set,
``USER:PASSWORD`` of a person.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from tests.system import PASSWORD, System

SECONDS = 60
MADE = pytest.StashKey["Target"]()


class Answer(NamedTuple):
    status: int
    content: Any

    @property
    def message(self) -> str:
        """The sentence of a failed envelope, which it has to be."""
        assert self.content["failed"] is True, self
        message: str = self.content["message"]
        return message


@dataclass
class Target:
    """A server, how to be let in, and what was made there."""

    url: str
    token: str
    login: str | None
    playbook: str
    long_playbook: str | None
    label: str
    made: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def curl(
        self, path: str, *options: str, body: object = None, credentials: str | None = None
    ) -> Answer:
        """What curl is answered. A body that is no text is sent as JSON, as curl sends a form.

        `credentials` is a line of curl's configuration, by default the header with the token.
        """
        program = shutil.which("curl")
        assert program is not None
        text = body if isinstance(body, str | None) else json.dumps(body)
        command = [program, "-sk", "-g", "-m", str(SECONDS), "-w", "\n%{http_code}", "-K", "-"]
        data = [] if text is None else ["--data-binary", text]
        if credentials is None:
            credentials = f'header = "ph-auth-token: {self.token}"'
        done = subprocess.run(
            [*command, *data, *options, f"{self.url}{path}"],
            # On standard input: a command line is there for everybody to read.
            input=credentials, capture_output=True, text=True, check=True,
        )  # fmt: skip
        content, _, status = done.stdout.rpartition("\n")
        answer = Answer(int(status), json.loads(content) if content else None)
        self._note(path, answer.content)
        return answer

    def _note(self, path: str, content: object) -> None:
        if isinstance(content, dict) and content.get("received") is True:
            self.made["playbook runs"].append(int(content["playbook_run_id"]))
        if isinstance(content, dict) and content.get("success") is True and "id" in content:
            self.made[f"{path.strip('/').split('/')[1]}s"].append(content["id"])

    def start(self, container: int, **further: object) -> int:
        """Id of a run that is asked for as the vendor's page has it."""
        body = {"container_id": container, "playbook_id": self.playbook, "run": True, **further}
        answer = self.curl("/rest/playbook_run", body=body)
        assert answer.status == 200, answer
        return int(answer.content["playbook_run_id"])


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "a server that tests/conformance asks")
    group.addoption("--url", help="the server; without it the session's own")
    group.addoption("--playbook", help="repository/name of one that ends soon by itself")
    group.addoption("--long-playbook", help="repository/name of one that takes a minute")
    group.addoption("--label", default="events", help="of the container that is made")
    group.addoption("--ours", action="store_true", help="ask for our own decisions, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out our own decisions at somebody else's server."""
    if config.getoption("--url") and not config.getoption("--ours"):
        skip = pytest.mark.skip(reason="our own decision, where the public record is silent")
        for item in items:
            if item.get_closest_marker("ours"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest) -> Target:
    option = request.config.getoption
    if option("--url"):
        token, login = os.environ.get("PHANTOM_TOKEN"), os.environ.get("PHANTOM_LOGIN") or None
        if not (token and option("--playbook")):
            pytest.fail("--url needs --playbook, and PHANTOM_TOKEN in the environment")
        url, long_playbook = option("--url").rstrip("/"), option("--long-playbook")
        found = Target(url, token, login, option("--playbook"), long_playbook, option("--label"))
    else:
        system: System = request.getfixturevalue("system")
        user = {"username": f"conformance {uuid4().hex}", "type": "automation"}
        token = system.post("/rest/ph_user", user)["token"]
        login = f"admin:{PASSWORD}"
        found = Target(system.url, token, login, "local/quick", "examples/wait", option("--label"))
    request.config.stash[MADE] = found
    return found


@pytest.fixture(scope="session")
def container(target: Target) -> int:
    """The container that all the rest is made in."""
    name = f"conformance {uuid4().hex}"
    answer = target.curl("/rest/container", body={"name": name, "label": target.label})
    assert answer.status == 200, answer
    identifier: int = answer.content["id"]
    return identifier


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Iterator[None]:
    """Say what was made on somebody else's server."""
    yield
    if config.getoption("--url") and (found := config.stash.get(MADE, None)) is not None:
        terminalreporter.section(f"made on {found.url}")
        for things, ids in found.made.items():
            terminalreporter.line(f"{things}: {', '.join(map(str, ids))}")
