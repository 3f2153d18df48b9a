"""The lease of runs: the gateway's word that they may go on, asked for again and again."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from .address import Addresses

LEASE_SECONDS = 60.0
"""How long the gateway lets a run go on without hearing of it."""
ANSWER_SECONDS = 5.0
OUTAGE = ("Prefect-Phantom-Outage", "database")
"""The header by which a gateway says that the database does not answer: proxies say 503 too."""
REFUSALS = frozenset(range(400, 500)) - {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}


class Unreachable(Exception):
    """The gateway does not answer, or not as it should."""


class Refused(Exception):
    """The gateway understands and says no, which asking again does not change."""


class Lost(Exception):
    """The gateway itself answers that the database does not."""


class Lease:
    """Calls of the runtime API about the runs of one worker.

    The gateway has a process that renews leases and does nothing else, and tells in its answers
    where. Whichever of that and the runtime API answered last is asked first, then the other.
    """

    def __init__(self, url: str, key: str, worker: str) -> None:
        self._runtime_url = url
        self._urls = [url]
        self._addresses = Addresses()
        self._path = f"/runtime/workers/{quote(worker, safe='')}"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def renew(self, flow_run_ids: list[str]) -> set[str]:
        """Renew the lease of these flow runs; return those that may not go on.

        Raises:
            Lost: the database does not answer, so that nobody can judge the runs.
            Refused: the gateway does not take our key.
            Unreachable: the gateway does not answer.
        """
        answer = self._post("lease", {"flow_run_ids": flow_run_ids})
        stop = answer.get("stop")
        if not isinstance(stop, list):
            message = f"{self._urls[0]} is no runtime API"
            raise Unreachable(message)
        url = self._told(answer.get("lease") or {})
        if url not in self._urls:
            self._urls = [url, self._runtime_url]
        return set(stop)

    def gone(self, processes: dict[str, int]) -> None:
        """Tell that the process of each of these flow runs has ended.

        Raises:
            Refused: the gateway does not take our key.
            Unreachable: nobody was told.
        """
        runs = [{"flow_run_id": name, "process_id": number} for name, number in processes.items()]
        try:
            self._post("gone", {"runs": runs})
        except Lost as error:
            raise Unreachable(str(error)) from error

    def _told(self, lease: dict[str, Any]) -> str:
        """The URL at which the gateway says that leases are renewed."""
        if "port" not in lease:
            return str(lease.get("url") or self._runtime_url).rstrip("/")
        runtime = urlsplit(self._runtime_url)
        host = runtime.hostname or ""
        # The same scheme: nobody must be led to show a key without TLS.
        return f"{runtime.scheme}://{f'[{host}]' if ':' in host else host}:{int(lease['port'])}"

    def _post(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        failures: dict[str, Lost | Refused | Unreachable] = {}
        for url in self._urls:
            try:
                answer = self._ask(url, what, body)
            except (Lost, Refused, Unreachable) as error:
                failures[url] = error
            else:
                self._urls = [url, *(each for each in self._urls if each != url)]
                return answer
        lost = (each for each in failures.values() if isinstance(each, Lost))
        raise next(lost, failures[self._runtime_url])

    def _ask(self, url: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
        server = urlsplit(url)
        connection = http.client.HTTPConnection(server.netloc)
        path = f"{server.path}{self._path}/{what}"
        try:
            connection.sock = self._connect(server)
            connection.request("POST", path, json.dumps(body), self._headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
            if answer.getheader(OUTAGE[0]) == OUTAGE[1]:
                raise Lost(text)
            if answer.status in REFUSALS:
                raise Refused(text)
            if answer.status != HTTPStatus.OK:
                raise Unreachable(text)
            content: dict[str, Any] = dict(json.loads(text))
        except (OSError, http.client.HTTPException, ValueError, TypeError) as error:
            raise Unreachable(f"{url}: {error!r}") from error
        finally:
            connection.close()
        return content

    def _connect(self, server: SplitResult) -> socket.socket:
        secure, host = server.scheme == "https", server.hostname or ""
        port = server.port or (443 if secure else 80)
        connection = self._addresses.connect(host, port, ANSWER_SECONDS)
        if not secure:
            return connection
        try:
            return ssl.create_default_context().wrap_socket(connection, server_hostname=host)
        except BaseException:
            connection.close()
            raise
