"""``doctor``: look at every part, and say what to do about what is wrong."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
from cryptography import x509

from prefect_phantom.adapters.cli.connection import DEFAULT, AsJson, Connection, ConnectionMissing
from prefect_phantom.adapters.cli.terminal.console import Console, Text
from prefect_phantom.adapters.supervisor.home.leftover import find_leftovers
from prefect_phantom.client import Health, Phantom, PhantomClientError, Playbook

ANSWER_SECONDS = 10.0
CLOCK_SECONDS = 10.0
"""Clocks further apart make times in logs and runs misleading."""
WAITING_SECONDS = 600.0
"""A run that waits for longer than this has too few slots, or nobody, to wait for."""
CERTIFICATE_DAYS = 14
DISK_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at and how it is; what to do, when it is wrong."""

    ok: bool
    sentence: str


def doctor(*, as_json: AsJson = False, connection: Connection = DEFAULT) -> int:
    """Check every part and say what to do. Exit code 0 when all is well, 1 otherwise."""
    findings = []
    console = Console(soft_wrap=True, highlight=False)
    for finding in _look(connection):
        findings.append(finding)
        if not as_json:
            mark = Text("ok ", style="green") if finding.ok else Text("!! ", style="bold red")
            console.print(mark.append(Text(finding.sentence, style="")))
    if as_json:
        console.print_json(data=[asdict(finding) for finding in findings])
    return 0 if all(finding.ok for finding in findings) else 1


def _look(connection: Connection) -> Iterator[Finding]:
    """Look at one thing after the other, as far as what is found lets us."""
    yield from _disk(connection)
    yield from _processes(connection)
    try:
        url = connection.address()
        yield from _gateway(url, connection)
        with Phantom(
            url, token=connection.credentials(url), verify=connection.verification()
        ) as phantom:
            health, playbooks = phantom.health(), list(phantom.iterate(Playbook))
    except _Stop as stop:
        yield stop.finding
    except (ConnectionMissing, PhantomClientError, httpx.InvalidURL, OSError) as error:
        yield Finding(ok=False, sentence=f"The gateway tells us nothing: {_line(error)}.")
    else:
        yield Finding(ok=True, sentence="The token is an administrator's.")
        yield from _database(health)
        yield from look_at_prefect(health)
        yield from _workers(health)
        yield from _runs(health)
        yield from look_at_work_queues(health)
        yield from look_at_reports(health)
        yield from _playbooks(playbooks)
        yield from (Finding(each.ok, each.sentence) for each in health.exposure)


class _Stop(Exception):
    """Nothing further can be looked at."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.finding = Finding(ok=False, sentence=sentence)


def _disk(connection: Connection) -> Iterator[Finding]:
    folder = connection.folder.path
    if folder.is_dir():
        free = shutil.disk_usage(folder).free
        ok = free >= DISK_BYTES
        advice = "" if ok else ": make room, or PostgreSQL will stop"
        yield Finding(ok, f"{free / 2**30:.1f} GiB are free for {folder}{advice}.")


def _processes(connection: Connection) -> Iterator[Finding]:
    """What an `up` of the home has left on this machine."""
    home = connection.folder
    leftovers = find_leftovers(home.path)
    for each in leftovers:
        each.close()
    parts = sorted({each.part for each in leftovers})
    if leftovers and home.holder is None:
        yield Finding(
            ok=False,
            sentence=f"The `up` of {home.path} has ended, and {len(leftovers)} of its processes run"
            f" on ({', '.join(parts)}): start `prefect-phantom up` again, which ends them.",
        )


def _gateway(url: str, connection: Connection) -> Iterator[Finding]:
    try:
        answer = httpx.get(
            f"{url}/readyz", verify=connection.verification(), timeout=ANSWER_SECONDS
        )
    except httpx.TransportError as error:
        raise _Stop(
            f"No answer from {url}: {_line(error)}. Start the gateway with `prefect-phantom up`,"
            " name another with --url, or see its log."
        ) from error
    if answer.is_success:
        yield Finding(ok=True, sentence=f"The gateway at {url} answers and is ready.")
    else:
        raise _Stop(
            f"The gateway at {url} answers and is not ready (HTTP {answer.status_code}):"
            " see whether PostgreSQL runs, and the gateway's log."
        )
    yield from _clock(answer)
    if answer.url.scheme == "https":
        yield _certificate(answer.url)


def _clock(answer: httpx.Response) -> Iterator[Finding]:
    if date := answer.headers.get("date"):
        apart = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())
        ok = apart <= CLOCK_SECONDS
        advice = "" if ok else ": set both by a time server"
        yield Finding(ok, f"The gateway's clock and this one are {apart:.0f} s apart{advice}.")


def _certificate(url: httpx.URL) -> Finding:
    context = ssl.create_default_context()
    # Only its dates are read here; whether it is trusted has just been found out.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = (url.host, url.port or 443)
    with (
        socket.create_connection(address, ANSWER_SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=url.host) as secure,
    ):
        certificate = x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")
    end = certificate.not_valid_after_utc
    ok = end - datetime.now(UTC) > timedelta(days=CERTIFICATE_DAYS)
    advice = "" if ok else ": replace it, and start the gateway again"
    return Finding(ok, f"The certificate is valid until {end:%Y-%m-%d}{advice}.")


def _database(health: Health) -> Iterator[Finding]:
    found = health.database
    ok = found.revision == found.head
    schema = (
        f"its schema is the newest, {found.head}"
        if ok
        else f"its schema is {found.revision} and not {found.head}: start every gateway again,"
        " all of one version"
    )
    yield Finding(ok, f"PostgreSQL {found.version} answers; {schema}.")


def look_at_prefect(health: Health) -> Iterator[Finding]:
    """Whether Prefect is reached, and by whom else."""
    found = health.prefect
    yield (
        Finding(
            ok=False,
            sentence=f"The gateway does not reach Prefect: {_line(found.error)}. Start the server,"
            " and see PREFECT_API_URL and PREFECT_API_AUTH_STRING.",
        )
        if found.error
        else Finding(ok=True, sentence=f"The gateway reaches Prefect {found.version}.")
    )
    if found.login:
        yield Finding(
            ok=False,
            sentence=f"The password of Prefect's login {found.login}, and others reach Prefect:"
            " set another one by PREFECT_SERVER_API_AUTH_STRING there, and by"
            " PREFECT_API_AUTH_STRING for gateways and workers.",
        )


def _workers(health: Health) -> Iterator[Finding]:
    for worker in health.workers:
        if worker.online:
            slots = f"{worker.taken} of {worker.slots} slots in use"
            yield Finding(ok=True, sentence=f"Worker {worker.name} is online, {slots}.")
        else:
            yield Finding(
                ok=False,
                sentence=f"Worker {worker.name} on {worker.hostname} was last heard of at"
                f" {worker.seen_time:%Y-%m-%d %H:%M:%S} UTC: start it again, or see its log.",
            )
    reporting = {worker.name for worker in health.workers}
    others = [name for name in health.prefect.workers if name not in reporting]
    for name in others:
        yield Finding(ok=True, sentence=f"Worker {name} is online, says Prefect.")
    if not reporting and not others:
        yield Finding(
            ok=False, sentence="No worker is there: start one with `prefect-phantom worker`."
        )
    for refused in health.refused_workers:
        yield Finding(
            ok=False,
            sentence=f"A second worker named {refused.name} was refused on"
            f" {refused.refused_hostname} at {refused.refused_time:%H:%M:%S} UTC, since one on"
            f" {refused.hostname} has the name: start one of them with another"
            " PREFECT_PHANTOM_WORKER_NAME.",
        )


def _runs(health: Health) -> Iterator[Finding]:
    runs = health.runs
    counts = f"{runs.queued} runs are queued, {runs.waiting} wait in Prefect, {runs.running} run"
    if not runs.queued + runs.waiting:
        yield Finding(ok=True, sentence=f"{counts}.")
        return
    ok = runs.oldest_seconds <= WAITING_SECONDS
    advice = "" if ok else ": see the workers, or give them more slots"
    yield Finding(ok, f"{counts}; the oldest waits for {runs.oldest_seconds:.0f} s{advice}.")


def look_at_work_queues(health: Health) -> Iterator[Finding]:
    """What Prefect is told to hold: somebody wants it so, and may have forgotten it."""
    for rule in dict.fromkeys(queue.rule for queue in health.work_queues):
        yield Finding(ok=True, sentence=f"{rule}: its runs wait.")


def look_at_reports(health: Health) -> Iterator[Finding]:
    """Whether the workers have the same playbooks."""
    reports = health.playbook_reports
    held = next((report for report in reports if report.holds), None)
    if held is None:
        yield Finding(ok=False, sentence="No worker has reported playbooks yet: see its log.")
        return
    for report in reports:
        if report.digest != held.digest:
            yield Finding(
                ok=False,
                sentence=f"Worker {report.worker} has other playbooks ({report.digest[:8]}) than"
                f" worker {held.worker} ({held.digest[:8]}), whose report holds: runs go to those"
                " that have the same. Give them the same files at the same path.",
            )
        for folder in report.empty_folders:
            is_named = folder.startswith("/")  # else it is the setting, which names none
            if is_named:
                sentence = f"Worker {report.worker} finds no playbooks in {folder}: put some there."
            else:
                sentence = f"Worker {report.worker} has no playbooks but ours: {folder} names none."
            yield Finding(ok=not is_named, sentence=sentence)


def _playbooks(playbooks: list[Playbook]) -> Iterator[Finding]:
    broken = [playbook for playbook in playbooks if playbook.error]
    for playbook in broken:
        yield Finding(
            ok=False,
            sentence=f"Playbook {playbook.full_name} does not import, and its runs fail: mend"
            f" {_line(playbook.error)}",
        )
    if not broken:
        yield Finding(ok=True, sentence=f"All {len(playbooks)} playbooks import.")


def _line(reason: object) -> str:
    """The first line of an error, without the period at its end."""
    return (str(reason).strip().splitlines() or [type(reason).__name__])[0].rstrip(".")
