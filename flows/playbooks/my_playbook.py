"""The playbook of the vendor's example: whois on what the artifacts name."""

from __future__ import annotations

from prefect_phantom import ActionFailure, PlaybookRun, playbook
from prefect_phantom.apps.whois import whois_domain, whois_ip


@playbook(labels=["events"])
def my_playbook(run: PlaybookRun) -> None:
    """Look up every address and every domain that the artifacts name.

    `whois ip` runs on each sourceAddress and destinationAddress, `whois domain` on each
    destinationDnsDomain. The playbook ends in success only when both action runs did; when one
    fails, the other still runs first. (An action run fails when every lookup of it failed.)
    """
    addresses = _named(run, "sourceAddress", "destinationAddress")
    domains = _named(run, "destinationDnsDomain")
    failures: list[str] = []
    try:
        whois_ip.map([{"ip": address} for address in addresses])
    except ActionFailure as failure:
        failures.append(str(failure))
    try:
        whois_domain.map([{"domain": domain} for domain in domains])
    except ActionFailure as failure:
        failures.append(str(failure))
    if failures:
        raise ActionFailure("; ".join(failures))


def _named(run: PlaybookRun, *fields: str) -> list[str]:
    """Return the distinct texts in these CEF fields, in order of appearance."""
    values = (artifact.cef.get(field) for artifact in run.artifacts for field in fields)
    # A CEF field may hold anything; only a text that is not blank names something.
    return list(dict.fromkeys(v.strip() for v in values if isinstance(v, str) and v.strip()))
