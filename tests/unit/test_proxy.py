"""Apps that go through a real proxy on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest
import trustme
from pydantic import ValidationError

from prefect_phantom import ActionFailure, Asset
from prefect_phantom.apps.http import Settings, get_data
from tests.unit.web_server import Exchange, serving, silent

CREDENTIALS = "Basic c29jOmtlcHQ="  # soc:kept


@contextmanager
def proxying() -> Iterator[tuple[int, list[str]]]:
    """A proxy's port, and what it was asked for; it wants to know who comes."""
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.welcome():
                inner = Request(self.path, headers={"x-by": "proxy"})
                with build_opener(ProxyHandler({})).open(inner, timeout=10) as answer:
                    self.send_response(answer.status)
                    self.end_headers()
                    self.wfile.write(answer.read())

        def do_CONNECT(self) -> None:
            if self.welcome():
                host, _, port = self.path.partition(":")
                with socket.create_connection((host, int(port)), timeout=10) as server:
                    self.send_response(200)
                    self.end_headers()
                    back = threading.Thread(target=pump, args=(server, self.connection))
                    back.start()
                    pump(self.connection, server)
                    back.join()

        def welcome(self) -> bool:
            self.close_connection = True
            asked.append(f"{self.command} {self.path}")
            known = self.headers["proxy-authorization"] == CREDENTIALS
            if not known:
                self.send_error(407)
            return known

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # whoever hung up
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


def asset(url: str, proxy: str, **settings: Any) -> Asset[Settings]:
    return Asset(1, "service", "HTTP", Settings(base_url=url, proxy=proxy, **settings))


def answer(exchange: Exchange) -> None:
    exchange.reply(200, f"by {exchange.headers['x-by']}")


def test_clear_text_goes_through_the_proxy() -> None:
    with serving(answer) as server, proxying() as (port, asked):
        given = asset(server.url, f"http://soc:kept@127.0.0.1:{port}")
        (row,) = get_data.function(given, "thing").data
    assert row["response_body"] == "by proxy"
    assert asked == [f"GET {server.url}/thing"]


def test_tls_goes_through_a_tunnel_that_the_proxy_cannot_look_into(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with (
        serving(answer, authority.issue_cert("127.0.0.1")) as server,
        proxying() as (port, asked),
    ):
        proxy = f"http://soc:kept@127.0.0.1:{port}"
        (row,) = get_data.function(
            asset(server.url, proxy, ca_file=tmp_path / "ca.pem"), "thing"
        ).data
        with pytest.raises(ActionFailure, match="its certificate is not trusted"):
            get_data.function(asset(server.url, proxy), "thing")
    assert row["response_body"] == "by None"
    assert asked == [f"CONNECT 127.0.0.1:{server.port}"] * 2


def test_a_proxy_that_refuses_is_named_without_its_password() -> None:
    with proxying() as (port, _), pytest.raises(ActionFailure) as failure:
        get_data.function(asset("https://192.0.2.1", f"http://soc:wrong@127.0.0.1:{port}"), "x")
    assert str(failure.value) == (
        f"The HTTP server at https://192.0.2.1 by way of the proxy http://127.0.0.1:{port} "
        "cannot be reached: the proxy refuses: 407 Proxy Authentication Required"
    )


def test_a_slow_server_behind_a_proxy_is_given_up_when_the_time_is_over() -> None:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    with (
        proxying() as (port, _),
        serving(silent, certificate) as server,
    ):
        proxy = f"http://soc:kept@127.0.0.1:{port}"
        given = asset(server.url, proxy, verify_certificate=False, timeout_seconds=0.3)
        with pytest.raises(ActionFailure, match=r"did not answer within 0\.3 seconds") as failure:
            get_data.function(given, "x")
    assert "kept" not in str(failure.value)


def test_a_proxy_is_a_url() -> None:
    with pytest.raises(ValidationError, match="not a URL that begins with https://"):
        asset("https://192.0.2.1", "proxy.example:3128")


def test_a_proxy_that_the_environment_names_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serving(answer) as server:
        given = Asset(1, "service", "HTTP", Settings(base_url=server.url))
        assert get_data.function(given, "x").data[0]["response_body"] == "by None"
