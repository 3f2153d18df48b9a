"""The home folder, and the processes that may be left of it."""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509

from prefect_phantom.adapters.supervisor.failure import CannotStart, HomeInUse
from prefect_phantom.adapters.supervisor.home.certificate import make_certificate
from prefect_phantom.adapters.supervisor.home.home import Home
from prefect_phantom.adapters.supervisor.home.leftover import end_leftovers, find_leftovers
from prefect_phantom.adapters.supervisor.logs.log import Log

HOLDER = """
import sys
from pathlib import Path
from prefect_phantom.adapters.supervisor.home.home import Home
with Home(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""
STUBBORN = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if len(sys.argv) > 1:
    subprocess.Popen([sys.executable, "-c", sys.argv[1]], env={}, stdout=sys.stdout)
print("up", flush=True)
signal.pause()
"""
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process that says one line; whatever the test leaves of it is killed."""
    processes: list[subprocess.Popen[str]] = []

    def _start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", *arguments],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline()
        return process

    yield _start
    for process in processes:
        process.kill()
        process.communicate()


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _certificate(home: Home) -> x509.Certificate:
    return x509.load_pem_x509_certificate(home.certificate.read_bytes())


def _marks(home: Home, part: str = "worker") -> dict[str, str]:
    return {"PREFECT_PHANTOM_HOME": str(home.path), "PREFECT_PHANTOM_PART": part}


def test_only_the_owner_can_enter_the_home(home: Home) -> None:
    assert {_mode(home.path), _mode(home.logs), _mode(home.postgres)} == {0o700}


def test_a_secret_is_made_once_and_readable_by_the_owner_alone(home: Home) -> None:
    secrets = [home.operator_token, home.runtime_key, home.prefect_auth]
    again = Home(home.path)
    assert [again.operator_token, again.runtime_key, again.prefect_auth] == secrets
    assert len(set(secrets)) == 3
    assert min(map(len, secrets)) >= 43  # 256 bits, six to a character
    assert {_mode(home.operator_token_file), _mode(home.prefect_auth_file)} == {0o600}


@pytest.mark.parametrize("blank", ["", "\n", "  \n"])
def test_a_secret_that_is_blank_is_made_anew(home: Home, blank: str) -> None:
    files = (home.operator_token_file, home.runtime_key_file, home.prefect_auth_file)
    for file in files:
        file.write_text(blank)
    assert min(map(len, (home.operator_token, home.runtime_key, home.prefect_auth))) >= 43
    assert all(len(file.read_text().strip()) >= 43 for file in files)


def test_a_folder_with_other_things_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "letter").touch()
    with pytest.raises(CannotStart, match="choose an empty one with --home"):
        Home(tmp_path).prepare()
    assert _mode(tmp_path) == 0o755


def test_a_file_in_the_place_of_the_home_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(CannotStart, match="cannot be used"):
        Home(tmp_path / "home").prepare()


def test_a_home_in_use_is_refused_by_the_number_of_its_process(home: Home, start: Start) -> None:
    holder = start(HOLDER, str(home.path))
    with pytest.raises(HomeInUse, match=rf"in use by process {holder.pid}:"), home.lock():
        pass


def test_a_killed_process_lets_go_of_the_home(home: Home, start: Start) -> None:
    holder = start(HOLDER, str(home.path))
    holder.kill()
    holder.wait()
    with home.lock():
        assert home.lock_file.read_text() == f"{os.getpid()}\n"


def test_what_ignores_sigterm_is_ended_all_the_same(home: Home, start: Start) -> None:
    process = start(STUBBORN, **_marks(home))
    assert asyncio.run(end_leftovers(home.path)) == 1
    assert process.wait(60) == -9


def test_a_child_without_our_marks_is_ended_by_its_session(home: Home, start: Start) -> None:
    process = start(STUBBORN, STUBBORN, **_marks(home))
    assert process.stdout is not None
    process.stdout.readline()  # both have spoken
    assert asyncio.run(end_leftovers(home.path)) == 2
    assert process.stdout.read() == ""  # nobody has it open any more


def test_a_stopped_process_is_ended_too(home: Home, start: Start) -> None:
    process = start(STUBBORN, **_marks(home))
    os.kill(process.pid, 19)
    assert asyncio.run(end_leftovers(home.path)) == 1
    assert process.wait(60) == -9


@pytest.mark.parametrize(
    "marks",
    [
        pytest.param(lambda home: {"PREFECT_PHANTOM_HOME": str(home.path)}, id="exported_home"),
        pytest.param(lambda _: {"PREFECT_PHANTOM_PART": "worker"}, id="no_home"),
        pytest.param(
            lambda home: {**_marks(home), "PREFECT_PHANTOM_HOME": f"{home.path}2"}, id="other_home"
        ),
    ],
)
def test_a_process_that_is_not_ours_is_left_alone(
    home: Home, start: Start, marks: Callable[[Home], dict[str, str]]
) -> None:
    process = start(STUBBORN, **marks(home))
    assert asyncio.run(end_leftovers(home.path)) == 0
    assert process.poll() is None


def test_one_part_can_be_ended_alone(home: Home, start: Start) -> None:
    worker, gateway = start(STUBBORN, **_marks(home)), start(STUBBORN, **_marks(home, "gateway"))
    assert asyncio.run(end_leftovers(home.path, "worker")) == 1
    assert worker.wait(60) == -9
    assert gateway.poll() is None


def test_neither_we_nor_our_ancestors_are_left_over(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _marks(home).items():
        monkeypatch.setenv(name, value)
    finder = (
        "import sys, pathlib;"
        "from prefect_phantom.adapters.supervisor.home.leftover import find_leftovers;"
        "print(find_leftovers(pathlib.Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", finder, str(home.path)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "[]\n"
    assert find_leftovers(home.path) == []


def test_the_certificate_is_made_once_and_names_this_machine(home: Home) -> None:
    make_certificate(home, "127.0.0.2")
    text = home.certificate.read_text()
    make_certificate(home, "127.0.0.3")
    assert home.certificate.read_text() == text
    assert _mode(home.certificate_key) == 0o600
    names = _certificate(home).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "::1", "127.0.0.2"}


def test_a_certificate_without_its_key_is_made_anew(home: Home) -> None:
    make_certificate(home, "localhost")
    home.certificate_key.unlink()
    make_certificate(home, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home.certificate, home.certificate_key)  # raises unless they match


def test_the_last_words_of_a_log_tell_of_the_trouble(home: Home) -> None:
    log = Log(home.logs / "part.log")
    with log.open() as file:
        file.write(b"ERROR: of the start before\n")
    with log.open() as file:
        file.write("Traceback\nOSError: no space left\n╭────╮\nServer stopped!\n\n".encode())
    assert log.last_words() == "OSError: no space left"
    with log.open():
        assert log.last_words() == "it wrote nothing"
