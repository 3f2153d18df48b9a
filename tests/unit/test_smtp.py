"""App SMTP, against mail servers on loopback."""

from __future__ import annotations

import socket
import threading
from base64 import b64encode
from email.message import EmailMessage
from pathlib import Path
from socketserver import StreamRequestHandler
from typing import Any

import pytest
import trustme

from prefect_phantom import ActionFailure, Asset
from prefect_phantom.apps import smtp
from prefect_phantom.apps.smtp import Settings, send_email
from tests.unit.mail_server import PASSWORD, serving, speaking


def lines(part: EmailMessage) -> str:
    return str(part.get_content()).replace("\r\n", "\n")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


def asset(port: int, **settings: Any) -> Asset[Settings]:
    given = {
        "host": "127.0.0.1",
        "port": port,
        "username": "analyst",
        "password": PASSWORD,
        "sender": "soc@example.com",
        "timeout_seconds": 10,
        **settings,
    }
    return Asset(1, "mail", "SMTP", Settings(**given))


@pytest.mark.parametrize("encryption", ["starttls", "tls"])
def test_an_email_is_sent_by_tls_with_a_login(
    encryption: str, authority: trustme.CA, ca_file: Path
) -> None:
    with serving(authority, encryption) as (mailbox, port):
        given = asset(port, encryption=encryption, ca_file=ca_file)
        result = send_email.function(
            given,
            "Ann <ann@example.com>, bob@example.com",
            "Caf\u00e9\nclosed",
            "Incident 7 \u2013 closed",
            ["carl@example.com"],
            "dora@example.com",
        )
    email = mailbox.email()
    assert email["from"] == "soc@example.com"
    assert email["to"] == "ann@example.com, bob@example.com"
    assert email["cc"] == "carl@example.com"
    assert email["subject"] == "Incident 7 \u2013 closed"
    assert lines(email) == "Caf\u00e9\nclosed\n"
    assert b"dora" not in mailbox.envelopes[0].content  # a blind copy is one
    everybody = [f"{name}@example.com" for name in ("ann", "bob", "carl", "dora")]
    assert mailbox.envelopes[0].rcpt_tos == everybody
    assert result.message == "Email sent"
    assert result.data == [
        {"message_id": email["message-id"], "recipients": everybody, "refused": {}}
    ]


def test_html_and_further_headers_are_sent_as_phantom_does(authority: trustme.CA) -> None:
    with serving(authority, "none") as (mailbox, port):
        send_email.function(
            asset(port, encryption="none", username=None),
            "ann@example.com",
            "<html><b>hello</b></html>",
            "one",
            from_="Desk <desk@example.com>",
            headers='{"Subject": "two", "X-Run": 7, "Bcc": "x@example.com"}',
        )
    email = mailbox.email()
    assert (email["from"], email["subject"], email["x-run"]) == (
        "Desk <desk@example.com>", "two", "7",
    )  # fmt: skip
    assert email["bcc"] is None
    html = email.get_body(("html",))
    assert html is not None
    assert lines(html) == "<html><b>hello</b></html>\n"
    assert mailbox.envelopes[0].mail_from == "desk@example.com"


def test_recipients_that_are_refused_are_told_while_others_get_theirs(
    authority: trustme.CA,
) -> None:
    with serving(authority, "none") as (mailbox, port):
        result = send_email.function(
            asset(port, encryption="none", username=None), "a@example.com,b@refused.example", "x"
        )
    assert len(mailbox.envelopes) == 1
    assert result.message == "Email sent, but not to b@refused.example"
    assert result.data[0]["recipients"] == ["a@example.com"]
    assert result.data[0]["refused"] == {"b@refused.example": "550 5.1.1 No such user here"}


@pytest.mark.parametrize(
    ("to", "sender", "sentence"),
    [
        (
            "b@refused.example",
            "",
            "refuses all recipients: b@refused.example: 550 5.1.1 No such user here",
        ),
        (
            "a@example.com",
            "x@forged.example",
            "refuses the sender x@forged.example: 553 5.7.1 Not your address",
        ),
    ],
)
def test_a_refusal_is_told_in_the_servers_words(
    to: str, sender: str, sentence: str, authority: trustme.CA
) -> None:
    with serving(authority, "none") as (_, port), pytest.raises(ActionFailure) as failure:
        send_email.function(asset(port, encryption="none", username=None), to, "x", from_=sender)
    assert str(failure.value) == f"The mail server 127.0.0.1:{port} {sentence}"


def test_a_wrong_password_names_the_asset_and_not_the_password(
    authority: trustme.CA, ca_file: Path
) -> None:
    with serving(authority) as (mailbox, port), pytest.raises(ActionFailure) as failure:
        send_email.function(asset(port, ca_file=ca_file, password="wrong"), "a@example.com", "x")
    assert str(failure.value) == (
        f'The mail server 127.0.0.1:{port} refuses user and password of asset "mail"'
    )
    assert mailbox.envelopes == []


@pytest.mark.parametrize("encryption", ["starttls", "tls"])
def test_a_certificate_by_nobody_known_is_not_trusted(
    encryption: str, authority: trustme.CA
) -> None:
    with (
        serving(authority, encryption) as (mailbox, port),
        pytest.raises(ActionFailure) as failure,
    ):
        send_email.function(asset(port, encryption=encryption), "a@example.com", "x")
    assert str(failure.value) == (
        f"The mail server 127.0.0.1:{port} cannot be reached: "
        "its certificate is not trusted: unable to get local issuer certificate"
    )
    assert mailbox.envelopes == []


@pytest.mark.attack(
    "somebody between an action and the mail server takes STARTTLS out",
    "no email and no password is sent",
)
def test_without_starttls_nothing_is_sent_in_clear_text(authority: trustme.CA) -> None:
    with serving(authority, "none") as (mailbox, port), pytest.raises(ActionFailure) as failure:
        send_email.function(asset(port), "a@example.com", "x")
    assert str(failure.value) == (
        f"The mail server 127.0.0.1:{port} has no STARTTLS, and the asset wants it"
    )
    assert mailbox.envelopes == []


def silent(_: StreamRequestHandler, over: threading.Event) -> None:
    over.wait()


def dripping(handler: StreamRequestHandler, over: threading.Event) -> None:
    handler.wfile.write(b"220 ")
    while not over.wait(0.02):
        handler.wfile.write(b"x")


def greeting_without_end(handler: StreamRequestHandler, over: threading.Event) -> None:
    while not over.wait(0.02):
        handler.wfile.write(b"220-and more\r\n")


def silent_after_a_while(handler: StreamRequestHandler, over: threading.Event) -> None:
    handler.wfile.write(b"220 here\r\n")
    handler.rfile.readline()
    over.wait()


@pytest.mark.parametrize(
    ("speak", "encryption"),
    [
        (silent, "none"),
        (silent, "tls"),  # in the handshake
        (dripping, "starttls"),
        (greeting_without_end, "none"),
        (silent_after_a_while, "starttls"),
    ],
    ids=lambda it: getattr(it, "__name__", it),
)
def test_a_slow_server_is_given_up_when_the_time_is_over(speak: Any, encryption: str) -> None:
    with speaking(speak) as port, pytest.raises(ActionFailure) as failure:
        send_email.function(
            asset(port, encryption=encryption, timeout_seconds=0.4), "a@example.com", "x"
        )
    assert str(failure.value) == (
        f"The mail server 127.0.0.1:{port} did not answer within 0.4 seconds"
    )


def hasty(handler: StreamRequestHandler, _: threading.Event) -> None:
    """Takes an email, and is gone before it is said good-bye to."""
    handler.wfile.write(b"220 here\r\n")
    for _ in ("EHLO", "MAIL", "RCPT"):
        handler.rfile.readline()
        handler.wfile.write(b"250 yes\r\n")
    handler.rfile.readline()
    handler.wfile.write(b"354 go on\r\n")
    while handler.rfile.readline() != b".\r\n":
        pass
    handler.wfile.write(b"250 taken\r\n")


def test_an_email_that_was_taken_is_sent_though_the_server_hangs_up_then() -> None:
    with speaking(hasty) as port:
        given = asset(port, encryption="none", username=None)
        assert send_email.function(given, "a@example.com", "x").message == "Email sent"


def test_a_server_that_hangs_up_is_told() -> None:
    with speaking(lambda *_: None) as port, pytest.raises(ActionFailure) as failure:
        send_email.function(asset(port, encryption="none"), "a@example.com", "x")
    assert str(failure.value) == f"The mail server 127.0.0.1:{port} hung up"


def test_a_server_that_takes_nobody_is_told_in_its_words() -> None:
    busy = lambda handler, _: handler.wfile.write(b"421 too busy\r\n")  # noqa: E731
    with speaking(busy) as port, pytest.raises(ActionFailure) as failure:
        send_email.function(asset(port), "a@example.com", "x")
    assert str(failure.value) == f"The mail server 127.0.0.1:{port} refuses: 421 too busy"


def test_a_server_that_is_not_there_cannot_be_reached() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        with pytest.raises(ActionFailure) as failure:
            smtp.test_connectivity.function(asset(port))
    assert str(failure.value) == (
        f"The mail server 127.0.0.1:{port} cannot be reached: Connection refused"
    )


WRONG_NAME = '"X-A Bcc: b@example.com X-B" is not the name of a header'


@pytest.mark.attack(
    "a line break in the name or value of an email's header, or in an address", "no email is sent"
)
@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"to": ""}, "There is nobody to send to: give an address"),
        ({"to": "nobody"}, '"nobody" is not an email address'),
        ({"to": ["a@example.com", "@x"]}, '"@x" is not an email address'),
        ({"subject": "one\r\nBcc: b@example.com"}, 'The header "Subject" is not one line of text'),
        ({"headers": {"X-A": "1\n2"}}, 'The header "X-A" is not one line of text'),
        ({"headers": {"X-A\nBcc: b@example.com\nX-B": "1"}}, WRONG_NAME),
        (
            {"headers": {"X-A: 1\r\nBcc": "b@example.com"}},
            '"X-A: 1 Bcc" is not the name of a header',
        ),
        ({"headers": {"": "1"}}, '"" is not the name of a header'),
        (
            {"subject": "one\u2028Bcc: b@example.com"},
            'The header "Subject" is not one line of text',
        ),
        ({"subject": "one\x0bBcc: b@example.com"}, 'The header "Subject" is not one line of text'),
        ({"subject": "one\x85Bcc: b@example.com"}, 'The header "Subject" is not one line of text'),
        ({"subject": "\x1b[2J"}, 'The header "Subject" is not one line of text'),
        ({"to": "a\x00b@example.com"}, '"a\x00b@example.com" is not an email address'),
        ({"from_": "\u00e9 a" * 4_000 + " <a@x.example>"}, 'The header "From" is too long'),
        ({"headers": {"X-A": "?" * 999}}, 'The header "X-A" is too long'),
        ({"to": "(" * 10_000}, f'"{"(" * 100}..." is not an email address'),
        ({"to": "a@x.example," * 2_000}, "The addresses have more than 20000 characters"),
        ({"headers": "[1]"}, "The headers are not the JSON text of an object"),
        (
            {"from_": "a@x.example, b@x.example"},
            "There is no one sender: name one here or in the asset's settings",
        ),
    ],
)
def test_what_is_no_email_is_not_sent(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ActionFailure) as failure:
        send_email.function(asset(1), **{"to": "a@example.com", "body": "x", **parameters})
    assert str(failure.value) == sentence


def test_what_turns_a_subject_round_is_seen(authority: trustme.CA) -> None:
    with serving(authority, "none") as (mailbox, port):
        given = asset(port, encryption="none", username=None)
        send_email.function(given, "a@example.com", "x", "invoice \u202efdp.exe")
    assert mailbox.email()["subject"] == "invoice \\u202efdp.exe"


@pytest.mark.parametrize("port", [25, 465, 587])
def test_a_mail_server_outside_of_the_assets_networks_is_not_asked(port: int) -> None:
    with pytest.raises(ActionFailure) as failure:
        smtp.test_connectivity.function(asset(port, networks=["192.0.2.0/24"]))
    assert str(failure.value) == (
        f"The mail server 127.0.0.1:{port} cannot be reached: "
        "127.0.0.1 is in none of the asset's networks"
    )


@pytest.mark.attack(
    "a mail server repeats the password that it was given, in base64, where its words are cut",
    "stars in its place",
)
def test_a_password_that_a_mail_server_repeats_is_hidden() -> None:
    password = "correct horse battery"
    login = b64encode(f"\0analyst\0{password}".encode())

    def repeat(handler: StreamRequestHandler, _: threading.Event) -> None:
        words = [b"554", b"x" * 235, login, password.encode()]
        handler.wfile.write(b" ".join(words) + b"\r\n")

    with speaking(repeat) as port, pytest.raises(ActionFailure) as failure:
        send_email.function(asset(port, encryption="none", password=password), "a@x.example", "x")
    assert login[-12:].decode() not in str(failure.value)
    assert str(failure.value).endswith(" ********")


def test_the_sender_is_called_from_as_in_phantom() -> None:
    values, _ = send_email.parameters.check({"to": "a@x", "body": "b", "from": "c@x"})
    assert values["from_"] == "c@x"
    assert "from" in send_email.parameters.schema()["properties"]


def test_connectivity_is_tested_by_a_login(authority: trustme.CA, ca_file: Path) -> None:
    with serving(authority) as (mailbox, port):
        result = smtp.test_connectivity.function(asset(port, ca_file=ca_file))
        assert result.message == f"The mail server 127.0.0.1:{port} answers"
        with pytest.raises(ActionFailure, match="refuses user and password"):
            smtp.test_connectivity.function(asset(port, ca_file=ca_file, password="wrong"))
    assert mailbox.envelopes == []
