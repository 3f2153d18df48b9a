"""Which certificates of servers an asset trusts."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from prefect_phantom import ActionFailure
from prefect_phantom.apps._web.networks import NetworkSettings


class CertificateSettings(NetworkSettings):
    """Settings of every app that speaks TLS."""

    verify_certificate: bool = Field(
        default=True, description="Whether the server's certificate is checked"
    )
    ca_file: Path | None = Field(
        default=None, description="A PEM file with the authorities to trust, instead of the usual"
    )


def certificates(
    settings: CertificateSettings, usual: Callable[[], ssl.SSLContext]
) -> ssl.SSLContext:
    """What a handshake checks by; `usual` where the asset says nothing.

    Raises:
        ActionFailure: the asset's file cannot be read.

    """
    if not settings.verify_certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if settings.ca_file is None:
        return usual()
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:  # also what ssl raises about a file that holds no certificates
        raise ActionFailure(
            f"The certificate authorities in {settings.ca_file} cannot be read: {reason(error)}"
        ) from None


def reason(error: OSError) -> str:
    """Why something did not work, in words, without places in somebody's source code."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message.rstrip('.')}"
        case ssl.SSLError():
            return f"TLS failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
        case _:
            return error.strerror or str(error)
