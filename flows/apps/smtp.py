"""App SMTP: sends emails."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.utils import formatdate, getaddresses, make_msgid
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr

from prefect_phantom import ActionFailure, ActionResult, Asset, action
from prefect_phantom.apps._web.certificates import CertificateSettings, certificates, reason
from prefect_phantom.apps._web.deadline import Deadline
from prefect_phantom.apps._web.headers import Headers, headers_in
from prefect_phantom.flows.asset import secret_values
from prefect_phantom.flows.inside.display.visible_text import one_line, visible
from prefect_phantom.flows.inside.secrets.redaction import Redaction

APP = "SMTP"
READY = 220
"""What a mail server says before it is spoken to, and before TLS begins."""
HEADER_NAME = re.compile(r"[!-9;-~]+")
"""As RFC 5322 has it: anything else, such as a line break, would be one more header."""
LONGEST_HEADER = 998
"""In characters, as long as a line may be. Python's library reads longer ones for seconds."""
PLAIN_ADDRESSES = re.compile(r"[A-Za-z0-9@,. +_-]*")
MOST_ADDRESSES = 20_000
"""In characters."""
LONGEST_SHOWN = 100
"""In characters: so much of what is wrong is repeated."""
PORTS = {"starttls": 587, "tls": 465, "none": 25}

Addresses = Annotated[
    str | list[str], Field(description="Email addresses: a list, or separated by commas")
]


class Settings(CertificateSettings):
    """Settings of an asset of this app."""

    host: str = Field(description="The mail server")
    port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="By default 587 for starttls, 465 for tls, else 25",
    )
    encryption: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="Without starttls no email is sent in clear text"
    )
    username: str | None = Field(default=None, description="Without it nobody logs in")
    password: SecretStr | None = Field(default=None, description="That user's")
    sender: str | None = Field(
        default=None, description="Who emails are from, where an action says nothing else"
    )
    timeout_seconds: float = Field(
        default=30.0, gt=0, le=600, description="Seconds for one action, from first to last byte"
    )

    @property
    def server(self) -> str:
        """Who is asked, to begin a sentence with."""
        return f"The mail server {self.host}:{self.port or PORTS[self.encryption]}"


@action("test connectivity", app=APP, type="test")
def test_connectivity(asset: Asset[Settings]) -> ActionResult:
    """Log in as an email would be sent, and send none.

    Neither data nor summary.
    """
    with _session(asset) as session:
        session.noop()
    return ActionResult(message=f"{asset.settings.server} answers")


@action("send email", app=APP, type="generic")
def send_email(
    asset: Asset[Settings],
    to: Addresses,
    body: Annotated[str, Field(description="The text; one that begins with `<html>` is HTML")],
    subject: Annotated[str, Field(description="On one line")] = "",
    cc: Addresses = "",
    bcc: Addresses = "",
    from_: Annotated[
        str,
        Field(
            # The parameter's name in Phantom, which is no name in Python.
            validation_alias=AliasChoices("from", "from_"),
            serialization_alias="from",
            description="The sender; the asset's by default",
        ),
    ] = "",
    headers: Headers = None,
) -> ActionResult:
    """Send an email.

    One row of data: ``message_id``, ``recipients``, and ``refused``: recipients that the server
    did not take while it took others, each with its reason. No summary.

    Raises:
        ActionFailure: an address, header or subject is none, no server takes the email, or it
            refuses sender, content or all recipients.

    """
    settings = asset.settings
    sender = from_ or settings.sender or settings.username or ""
    groups = {"To": _addresses(to), "Cc": _addresses(cc), "Bcc": _addresses(bcc)}
    recipients = list(dict.fromkeys(each for group in groups.values() for each in group))
    if not recipients:
        raise ActionFailure("There is nobody to send to: give an address")
    senders = _addresses(sender)
    if len(senders) != 1:
        raise ActionFailure("There is no one sender: name one here or in the asset's settings")
    own = {
        "From": sender,
        "To": ", ".join(groups["To"]),
        "Cc": ", ".join(groups["Cc"]),
        "Subject": subject,
        "Date": formatdate(),
        "Message-ID": make_msgid(domain=senders[0].rpartition("@")[2]),
    }
    email = _email(own, headers_in(headers), body)
    with _session(asset) as session:
        refused = session.send_message(email, senders[0], recipients)
    message = "Email sent"
    if refused:
        message = f"Email sent, but not to {', '.join(refused)}"
    row = {
        "message_id": email["Message-ID"],
        "recipients": [each for each in recipients if each not in refused],
        "refused": {each: _reply(settings, *reply) for each, reply in refused.items()},
    }
    return ActionResult(message=message, data=[row])


@contextmanager
def _session(asset: Asset[Settings]) -> Iterator[smtplib.SMTP]:
    """A session that is logged in, and cut off when the asset's time is over."""
    settings = asset.settings
    deadline = Deadline(settings.timeout_seconds, settings.networks)
    over = threading.Event()
    # By its own name, not by one that somebody would have to be asked for.
    session = smtplib.SMTP(local_hostname=socket.gethostname())
    try:
        port = settings.port or PORTS[settings.encryption]
        with deadline.connect(settings.host, port) as connection, _cut(connection, deadline, over):
            _greet(session, connection, settings, deadline)
            if settings.username is not None and settings.password is not None:
                session.login(settings.username, settings.password.get_secret_value())
            yield session
            with suppress(OSError, smtplib.SMTPException):
                session.quit()  # what was sent is sent, whatever is said to a good-bye
    except (OSError, UnicodeError, smtplib.SMTPException) as error:
        if over.is_set() or isinstance(error, TimeoutError):
            raise ActionFailure(
                f"{settings.server} did not answer within {settings.timeout_seconds:g} seconds"
            ) from None
        redaction = Redaction(secret_values(settings))
        raise ActionFailure(redaction.text(_sentence(error, asset))) from None
    finally:
        session.close()


@contextmanager
def _cut(connection: socket.socket, deadline: Deadline, over: threading.Event) -> Iterator[None]:
    """End `connection` when the time is over: smtplib gives each read the whole of it again."""
    ended = connection.dup()  # TLS takes over the connection's own descriptor

    def cut() -> None:
        over.set()
        with suppress(OSError):  # it has ended by itself
            ended.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(deadline.left(), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        ended.close()


def _greet(
    session: smtplib.SMTP, connection: socket.socket, settings: Settings, deadline: Deadline
) -> None:
    connection.settimeout(deadline.left())
    # Not the one for the web, which offers HTTP to servers that would have to refuse that.
    context = certificates(settings, ssl.create_default_context)
    session.sock = connection
    if settings.encryption == "tls":
        session.sock = context.wrap_socket(connection, server_hostname=settings.host)
    code, reply = session.getreply()
    if code != READY:
        raise smtplib.SMTPConnectError(code, reply)
    session.ehlo_or_helo_if_needed()
    if settings.encryption == "starttls":
        if not session.has_extn("starttls"):
            raise ActionFailure(f"{settings.server} has no STARTTLS, and the asset wants it")
        code, reply = session.docmd("STARTTLS")
        if code != READY:
            raise smtplib.SMTPResponseException(code, reply)
        session.sock = context.wrap_socket(connection, server_hostname=settings.host)
        # What was said in clear text is worth nothing any more.
        session.file = None
        session.ehlo_resp = session.helo_resp = None
        session.esmtp_features = {}
        session.does_esmtp = False
        session.ehlo_or_helo_if_needed()


def _sentence(error: OSError | UnicodeError | smtplib.SMTPException, asset: Asset[Settings]) -> str:
    settings, server = asset.settings, asset.settings.server
    match error:
        case smtplib.SMTPAuthenticationError():
            return f'{server} refuses user and password of asset "{asset.name}"'
        case smtplib.SMTPRecipientsRefused():
            told = (
                f"{each}: {_reply(settings, *reply)}" for each, reply in error.recipients.items()
            )
            return f"{server} refuses all recipients: {'; '.join(told)}"
        case smtplib.SMTPSenderRefused():
            reply = _reply(settings, error.smtp_code, error.smtp_error)
            return f"{server} refuses the sender {error.sender}: {reply}"
        case smtplib.SMTPResponseException():
            return f"{server} refuses: {_reply(settings, error.smtp_code, error.smtp_error)}"
        case smtplib.SMTPServerDisconnected():
            return f"{server} hung up"
        case smtplib.SMTPException():
            return f"{server} cannot do it: {error}"
        case OSError():
            return f"{server} cannot be reached: {reason(error)}"
        case _:  # a host name that cannot be one
            return f"{server} cannot be reached: {error}"


def _reply(settings: Settings, code: int, text: bytes | str) -> str:
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    # Before it is cut: half a secret would not be found any more.
    words = Redaction(secret_values(settings)).text(" ".join(words.split()))
    return f"{code} {words}"[:300]


def _addresses(given: str | list[str]) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if sum(map(len, texts)) > MOST_ADDRESSES:
        raise ActionFailure(f"The addresses have more than {MOST_ADDRESSES} characters")
    try:
        named = getaddresses([text for text in texts if text.strip()])
    except RecursionError:  # of Python 3.11; later ones find no address
        named = [("", "")]
    found = []
    for name, address in named:
        local, _, domain = address.rpartition("@")
        if not local or not domain or not address.isprintable() or " " in address:
            wrong = address or name or ", ".join(texts)
            shown = wrong if len(wrong) <= LONGEST_SHOWN else f"{wrong[:LONGEST_SHOWN]}..."
            raise ActionFailure(f'"{shown}" is not an email address')
        found.append(address)
    return found


def _one_line(value: str) -> str:
    """`value` with its direction marks made visible. Raises `ValueError` for more than a line."""
    if len(value.splitlines()) > 1 or any(
        unicodedata.category(each) == "Cc" for each in value if each != "\t"
    ):
        raise ValueError
    return visible(value)


def _email(own: dict[str, str], further: dict[str, str], body: str) -> EmailMessage:
    # What the caller says counts, as in Phantom. smtplib leaves out a Bcc.
    headers = {name.lower(): (name, value) for name, value in [*own.items(), *further.items()]}
    email = EmailMessage()
    for name, value in headers.values():
        if not HEADER_NAME.fullmatch(name):
            raise ActionFailure(f'"{one_line(name)}" is not the name of a header')
        if len(value) > (MOST_ADDRESSES if PLAIN_ADDRESSES.fullmatch(value) else LONGEST_HEADER):
            raise ActionFailure(f'The header "{name}" is too long')
        try:
            if value:
                email[name] = _one_line(value)
        except (ValueError, IndexError):  # such as a line break, which would be one more header
            raise ActionFailure(f'The header "{name}" is not one line of text') from None
    if body.lstrip().lower().startswith(("<html", "<!doctype html")):
        email.set_content("This email is in HTML.")
        email.add_alternative(body, subtype="html")
    else:
        email.set_content(body)
    return email
