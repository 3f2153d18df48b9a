"""Whole requests as bytes: paths, headers and bodies that are nearly right, or not at all."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from prefect_phantom.adapters.rest.application import ROUTES
from prefect_phantom.adapters.rest.openapi.document import Call, calls
from prefect_phantom.adapters.rest.openapi.operation import Shape, declared, resource_of
from prefect_phantom.adapters.store.listing.resources import RESOURCES
from tests.fuzz.queries import made_up_query

CALLS = list(calls(ROUTES))
STARTS = 0.005
"""The part of requests that asks for a run as it should."""
NOBODY = 10**12
"""An id that nothing has, so that nothing of others is changed."""
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 4242, 2**63 - 1, 2**63, -(2**63), 10**40, 0.5, 1e300, "", "1",
    "true", "TRUE", "4242", "0x2A", "٤٢", "all", "new", "x" * 1000, "\N{SNOWMAN}", "\ud800", "\x00",
    "../..",
    "local/my_playbook", "{{ 7*7 }}", "' OR 1=1 --", "%s%n", [], [[]], ["1"], [1, None], {},
    {"": {}}, {"__prefect_kind": "jinja", "template": "{{ 7*7 }}"}, {"__proto__": 1},
    "2026-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-12:00", "NaN",
]  # fmt: skip
FRAGMENTS = [
    b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"{", b"}", b"[", b"]", b'"',
    b"\\u0000", b"\\ud800", b"\\", b",", b":", b"NaN", b"Infinity", b"-", b"1e999", b"9" * 5000,
    b"[" * 200, b"\r\n", b"//", b"'", b"\t" * 50, b"{" * 40, b"\xe2\x80\xa8",
]  # fmt: skip
TYPES = [
    b"application/json", b"application/x-www-form-urlencoded", b"text/plain; charset=utf-16", b"",
    b"multipart/form-data", b"application/json; charset=\xff", b"image/png",
]  # fmt: skip
HEADERS = [
    b"Idempotency-Key: %d", b"X-Forwarded-For: 203.0.113.%d", b"Accept: */%d",
    b"Expect: 100-continue",
    b"Accept-Encoding: br;q=%d", b"Cookie: a=%d", b"Range: bytes=0-%d", b"If-None-Match: %d",
    b"Transfer-Encoding: gzip", b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings",
    b"server: %d",
    b"Content-Encoding: gzip", b"X-HTTP-Method-Override: DELETE", b"Idempotency-Key: \xe9%d",
    b"Content-Length: 5", b"Content-Length: +%d", b"Host: %d", b"X-%d: " + b"y" * 5000,
]  # fmt: skip


def made_up_request(dice: random.Random, token: str, container: int) -> bytes:
    """A request with `token`. One in two hundred is a start that should be accepted.

    What is made belongs to `container`, and nothing that is there is changed.
    """
    if dice.random() < STARTS:
        wanted = {"container_id": container, "playbook_id": "examples/my_playbook", "run": True}
        return _bytes(dice, "POST", "/rest/playbook_run", json.dumps(wanted).encode(), token, [])
    call = dice.choice(CALLS)
    method = dice.choice(["PUT", "DELETE", "HEAD", "OPTIONS", "BREW"])
    method = call.method if dice.random() < 0.97 else method
    path = _path(dice, call, method)
    body = _body(dice, call, container) if method == "POST" or dice.random() < 0.05 else b""
    further = [dice.choice(HEADERS) for _ in range(dice.choice([0, 0, 0, 0, 1, 2]))]
    headers = [each % dice.randrange(256) if b"%d" in each else each for each in further]
    return _bytes(dice, method, path, body, token, headers)


def _path(dice: random.Random, call: Call, method: str) -> str:
    """The path of a call with ids, and a query; what changes things is asked of nobody's."""
    reads = method in {"GET", "HEAD", "OPTIONS"}
    identifier = dice.choice([1, 2, 42, NOBODY, 2**63]) if reads else NOBODY
    odd = ["0", "-1", "1.0", "%00", "%ff", "1%2f2", "٤", "9" * 100, "a b", "..", "%2e%2e"]
    path = call.route.path
    for name in ("{id}", "{token_id}", "{field}"):
        path = path.replace(name, str(identifier) if dice.random() < 0.9 else dice.choice(odd), 1)
    if dice.random() < 0.02:
        path = dice.choice(
            [path + "/", path.upper(), "/" + path, path + "/x", path.replace("/", "//")]
        )
    declaration = declared(call.handler)
    if declaration is None or call.method == "POST":
        return quote(path, safe="/%")
    resource = resource_of(call.handler, declaration)
    if resource is None:
        resource = dice.choice(list(RESOURCES.values()))
    asked = declaration.shape is Shape.LIST or dice.random() < 0.2
    query = made_up_query(dice, resource.name) if asked else ""
    if dice.random() < 0.05:
        query += dice.choice(
            ["&", "&&=", "=", "%", "%zz=1", "&_filter_id", "&_filter_=1", "&page=%00"]
        )
    return quote(path, safe="/%") + ("?" + query if query else "")


def _body(dice: random.Random, call: Call, container: int) -> bytes:
    """A body of the call's own fields, with other values, or damaged as bytes."""
    declaration = declared(call.handler)
    body = dict(declaration.sent or {}) if declaration is not None else {}
    fields = [*(declaration.body if declaration is not None else []), "x", ""]
    for _ in range(dice.choice([0, 1, 1, 2, 4])):
        body[dice.choice(fields)] = _value(dice, 3)
    if "container_id" in body and dice.random() < 0.8:
        body["container_id"] = container
    if call.route.path == "/rest/asset":
        body["app"] = "no such app"  # one more asset, and actions run once more
    if call.route.path == "/rest/playbook_run":
        body["run"] = dice.choice(["no", 0, None, *VALUES[20:]])  # these never start anything
    text = json.dumps(body, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
    damage: list[Callable[[bytes], bytes]] = [
        lambda text: text,
        lambda text: text,
        lambda text: text[: dice.randrange(len(text) + 1)],
        lambda text: _inserted(dice, text),
        lambda text: _inserted(dice, _inserted(dice, text)),
        lambda text: dice.randbytes(min(64, len(text))),
        lambda text: text.replace(b"{", b'{"a":1,"a":2,', 1),
        lambda text: urlencode({"body": text}).encode(),
        lambda text: text.decode("utf-8", "replace").encode("utf-16"),
    ]
    return dice.choice(damage)(text)


def _value(dice: random.Random, depth: int) -> Any:
    if depth and dice.random() < 0.2:
        return [_value(dice, depth - 1) for _ in range(dice.randrange(3))]
    if depth and dice.random() < 0.2:
        return {str(_value(dice, 0)): _value(dice, depth - 1) for _ in range(dice.randrange(3))}
    return dice.choice(VALUES)


def _inserted(dice: random.Random, text: bytes) -> bytes:
    place = dice.randrange(len(text) + 1)
    return text[:place] + dice.choice(FRAGMENTS) + text[place + dice.randrange(3) :]


def _bytes(
    dice: random.Random, method: str, path: str, body: bytes, token: str, headers: list[bytes]
) -> bytes:
    head = [f"{method} {path} HTTP/1.1".encode("utf-8", "surrogatepass"), b"Host: localhost"]
    head += [b"ph-auth-token: " + token.encode(), b"Content-Type: " + dice.choice(TYPES), *headers]
    if body and dice.random() < 0.1:
        head.append(b"Transfer-Encoding: chunked")
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    elif body or method == "POST":
        head.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*head, b"", body])
