"""The names of CEF fields that connectors and playbooks use most, with what their values are."""

from __future__ import annotations

from sqlalchemy import BigInteger, Text, column, values
from sqlalchemy.dialects.postgresql import JSONB

from prefect_phantom.adapters.store.listing.field import Kind, constant, document, integer, text
from prefect_phantom.adapters.store.listing.field import column as from_column
from prefect_phantom.adapters.store.listing.resource import Resource

NAMES = {
    "act": "",
    "app": "",
    "applicationProtocol": "",
    "bytesIn": "",
    "bytesOut": "",
    "destinationAddress": "ip",
    "destinationDnsDomain": "domain",
    "destinationHostName": "host name",
    "destinationMacAddress": "mac address",
    "destinationPort": "port",
    "destinationProcessName": "process name",
    "destinationUserName": "user name",
    "deviceAddress": "ip",
    "deviceHostname": "host name",
    "emailHeaders": "",
    "fileHash": "hash",
    "fileHashMd5": "md5",
    "fileHashSha1": "sha1",
    "fileHashSha256": "sha256",
    "fileName": "file name",
    "filePath": "file path",
    "fileSize": "",
    "fileType": "",
    "fromEmail": "email",
    "message": "",
    "method": "",
    "requestURL": "url",
    "sourceAddress": "ip",
    "sourceDnsDomain": "domain",
    "sourceHostName": "host name",
    "sourceMacAddress": "mac address",
    "sourcePort": "port",
    "sourceUserId": "",
    "sourceUserName": "user name",
    "toEmail": "email",
    "transportProtocol": "",
    "vaultId": "vault id",
}
"""Artifacts may have any others."""

CEF = Resource(
    name="cef",
    source=values(
        column("id", BigInteger), column("name", Text), column("contains", JSONB), name="cef"
    ).data(
        [
            (number, name, [contains] if contains else [])
            for number, (name, contains) in enumerate(NAMES.items(), start=1)
        ]
    ),
    thing="CEF field",
    title=from_column("name"),
    fields={
        "id": integer("id"),
        "name": text("name"),
        "data_type": constant(Kind.TEXT, "string"),
        "contains": document("contains"),
        "description": constant(Kind.TEXT, ""),
    },
)
