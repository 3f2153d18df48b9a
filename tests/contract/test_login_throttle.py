"""Our decision: who guesses is slowed down, and nobody can lock another one out."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

import httpx
import pytest
from starlette.types import ASGIApp

from prefect_phantom.adapters.errors import TooMany, Unauthenticated
from prefect_phantom.adapters.rest.request.address import parse
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.accounts import login_throttle, tokens, users
from prefect_phantom.adapters.store.accounts.credentials import LOOKED_UP_AT_ONCE, Credentials
from prefect_phantom.adapters.store.accounts.login_throttle import (
    SECOND,
    LoginThrottle,
    neighbourhood,
    network,
)
from prefect_phantom.adapters.store.accounts.passwords import (
    MOST_WAITING,
    VERIFICATIONS_AT_ONCE,
    Passwords,
    matches,
)
from prefect_phantom.adapters.store.database.notices import Notices

FAILURES = 3
Sign = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings(login_failures=FAILURES)


@pytest.fixture
def sign_in(build: Callable[[Settings], ASGIApp], settings: Settings) -> Sign:
    """Asks a gateway of this test's own for a path, as somebody at some address."""
    application = build(settings)

    async def sign_in(
        peer: str, username: str = "", password: str = "", token: str | None = None
    ) -> httpx.Response:
        transport = httpx.ASGITransport(application, client=(peer, 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as caller:
            if token is not None:
                return await caller.get("/rest/role/1", headers={"ph-auth-token": token})
            return await caller.get("/rest/role/1", auth=(username, password))

    return sign_in


@pytest.mark.attack("guessing a password", "429 after ten, at that address")
async def test_after_some_failures_the_right_password_is_refused_too_for_a_while(
    sign_in, credentials
):
    for _ in range(FAILURES):
        assert (await sign_in("192.0.2.1", "admin", "guess")).status_code == 401
    response = await sign_in("192.0.2.1", "admin", credentials.password)
    assert response.status_code == 429
    assert 1 <= int(response.headers["retry-after"]) <= 300
    assert response.json()["failed"] is True
    assert response.json()["message"].startswith("Too many failed logins; try again in ")


@pytest.mark.attack("locking a user out by wrong passwords", "that user is served from elsewhere")
async def test_nobody_is_locked_out_by_somebody_at_another_address(sign_in, credentials):
    for _ in range(FAILURES + 1):
        await sign_in("192.0.2.1", "admin", "guess")
    assert (await sign_in("192.0.2.2", "admin", credentials.password)).status_code == 200


async def test_at_one_address_other_users_are_served(sign_in, credentials):
    for _ in range(FAILURES + 1):
        await sign_in("192.0.2.1", "admin", "guess")
    assert (await sign_in("192.0.2.1", token=credentials.automation_token)).status_code == 200


@pytest.mark.attack("guessing tokens", "429 after a hundred, at that address")
async def test_who_tries_many_tokens_is_refused_by_address(sign_in):
    statuses = [
        (await sign_in("192.0.2.1", token=f"guess {n}")).status_code
        for n in range(FAILURES * login_throttle.ADDRESS_FACTOR + 2)
    ]
    assert statuses == [401] * (FAILURES * login_throttle.ADDRESS_FACTOR) + [429] * 2


@pytest.mark.attack("guessing names", "429 after a hundred, at that address")
async def test_who_tries_many_names_is_refused_by_address(sign_in, monkeypatch):
    monkeypatch.setattr(
        "prefect_phantom.adapters.store.accounts.passwords.matches", lambda *_: False
    )
    statuses = [
        (await sign_in("192.0.2.1", f"guess {n}", "guess")).status_code
        for n in range(FAILURES * login_throttle.ADDRESS_FACTOR + 2)
    ]
    assert statuses == [401] * (FAILURES * login_throttle.ADDRESS_FACTOR) + [429] * 2


async def test_of_ipv6_the_whole_network_of_a_customer_is_one_address(sign_in):
    for n in range(FAILURES * login_throttle.ADDRESS_FACTOR):
        await sign_in(f"2001:db8::{n:x}", token=f"guess {n}")
    assert (await sign_in("2001:db8::ffff", token="another")).status_code == 429
    assert (await sign_in("2001:db8:0:1::1", token="another")).status_code == 401


@pytest.mark.attack(
    "locking out who has a token, by wrong tokens from behind the same proxy",
    "valid tokens and passwords are served",
)
async def test_wrong_tokens_hold_up_nobody_who_has_a_right_one(sign_in, credentials):
    for n in range(FAILURES * login_throttle.ADDRESS_FACTOR + 1):
        refused = await sign_in("192.0.2.1", token=f"guess {n}")
    assert refused.status_code == 429
    assert (await sign_in("192.0.2.1", token=credentials.automation_token)).status_code == 200
    assert (await sign_in("192.0.2.1", token=credentials.token)).status_code == 200
    assert (await sign_in("192.0.2.1", "admin", credentials.password)).status_code == 200


@pytest.mark.attack(
    "locking a user out by wrong passwords from the user's own address",
    "who was right there before is served",
)
async def test_wrong_passwords_do_not_lock_out_who_was_right_there_before(
    sign_in, credentials, monkeypatch
):
    monkeypatch.setattr(
        "prefect_phantom.adapters.store.accounts.passwords.matches",
        lambda password, _: password == credentials.password,
    )
    assert (await sign_in("192.0.2.1", "admin", credentials.password)).status_code == 200
    for n in range(FAILURES * login_throttle.ADDRESS_FACTOR):
        await sign_in("192.0.2.1", "admin", f"guess {n}")
        await sign_in("192.0.2.1", f"somebody {n}", "guess")
    assert (await sign_in("192.0.2.1", "admin", "guess")).status_code == 429
    assert (await sign_in("192.0.2.1", "admin", credentials.password)).status_code == 200
    for n in range(FAILURES * login_throttle.KNOWN_FACTOR):  # guessing there has an end, too
        await sign_in("192.0.2.1", "admin", f"another guess {n}")
    assert (await sign_in("192.0.2.1", "admin", credentials.password)).status_code == 429


@pytest.mark.attack(
    "telling by 401, 429 or the work done who logs in from an address that one shares",
    "the same answers for whoever calls from there and whoever does not",
)
async def test_wrong_passwords_tell_nothing_of_who_was_right_there(
    sign_in, credentials, monkeypatch
):
    assert (await sign_in("192.0.2.1", "admin", credentials.password)).status_code == 200
    computed = []
    monkeypatch.setattr(
        "prefect_phantom.adapters.store.accounts.passwords.matches",
        lambda password, _: computed.append(password),
    )
    seen = {
        username: [
            (await sign_in("192.0.2.1", username, username)).status_code
            for _ in range(2 * FAILURES)
        ]
        for username in ("admin", "script", "nobody")
    }
    assert set(map(tuple, seen.values())) == {(401,) * FAILURES + (429,) * FAILURES}
    assert [computed.count(username) for username in seen] == [FAILURES] * 3


@pytest.mark.attack(
    "telling by 401 or 429 who logs in from an address that is full of failures",
    "429 for whoever calls from there and whoever does not",
)
async def test_an_address_full_of_failures_tells_nothing_of_who_was_right_there(
    sign_in, credentials, monkeypatch
):
    assert (await sign_in("192.0.2.1", "admin", credentials.password)).status_code == 200
    computed = []
    monkeypatch.setattr(
        "prefect_phantom.adapters.store.accounts.passwords.matches",
        lambda password, _: computed.append(password),
    )
    for n in range(FAILURES * login_throttle.ADDRESS_FACTOR):
        await sign_in("192.0.2.1", f"somebody {n}", "guess")
    computed.clear()
    waits = {"admin": [], "script": [], "nobody": []}
    for _ in range(2 * FAILURES):
        for username, said in waits.items():
            refused = await sign_in("192.0.2.1", username, "guess")
            assert refused.status_code == 429
            said.append(int(refused.headers["retry-after"]))
    assert not computed
    for said in waits.values():  # only time goes by, and nothing begins anew
        assert said == sorted(said, reverse=True)


@pytest.mark.attack(
    "guessing elsewhere while the user is remembered", "every guess is computed and counted"
)
async def test_a_remembered_password_is_not_compared_with_guesses_from_elsewhere(
    database, credentials
):
    notices = Notices(database)
    notices._connected.set()
    known = Credentials(database, notices, LoginThrottle(FAILURES))
    await known.user_of_password("admin", credentials.password, parse("192.0.2.1"))
    for _ in range(FAILURES):
        with pytest.raises(Unauthenticated):
            await known.user_of_password("admin", "guess", parse("192.0.2.2"))
    with pytest.raises(TooMany):
        await known.user_of_password("admin", credentials.password, parse("192.0.2.2"))
    await known.user_of_password("admin", credentials.password, parse("192.0.2.1"))


@pytest.mark.attack(
    "telling by the answer or its time whether a user exists",
    "the same answers after the same work",
)
async def test_a_user_who_does_not_exist_is_refused_as_one_who_does(sign_in, monkeypatch):
    computed = []

    def count(password: str, password_hash: str) -> bool:
        computed.append(password_hash.split("$")[1:4])  # algorithm and its costs
        return matches(password, password_hash)

    monkeypatch.setattr("prefect_phantom.adapters.store.accounts.passwords.matches", count)
    for username in ("admin", uuid4().hex):
        answers = [await sign_in("192.0.2.1", username, "guess") for _ in range(FAILURES + 1)]
        assert [answer.status_code for answer in answers] == [401] * FAILURES + [429]
        assert answers[0].json()["message"] == "Invalid username or password"
    assert computed[:FAILURES] == computed[FAILURES:]


@pytest.mark.attack("many guesses at once, before the first is counted", "429")
async def test_many_guesses_at_once_are_no_more_than_one_after_the_other(sign_in):
    guesses = [sign_in("192.0.2.1", "admin", f"guess {n}") for n in range(20)]
    answers = await asyncio.gather(*guesses)
    statuses = sorted(answer.status_code for answer in answers)
    # Those that were being computed when the last one that counts had failed.
    assert statuses.count(401) < FAILURES + VERIFICATIONS_AT_ONCE
    assert set(statuses) == {401, 429}


@pytest.mark.attack(
    "a hundred wrong passwords at once, so that others cannot log in",
    "who comes from another address is the next one served",
)
async def test_a_login_waits_for_none_of_those_from_another_address(
    build, credentials, monkeypatch
):
    application, wrong = build(Settings(login_failures=1000)), 100
    asked, all_wait, computed = 0, threading.Event(), []

    def compute(password: str, _: str) -> bool:
        computed.append(password)
        assert all_wait.wait(30)
        return password == credentials.password

    async def verify(self, *args, **kwargs):
        nonlocal asked
        asked += 1
        if asked > wrong:
            all_wait.set()  # once the last one, too, has a place in the queue
        return await original(self, *args, **kwargs)

    original = Passwords.verify
    monkeypatch.setattr(Passwords, "verify", verify)
    monkeypatch.setattr("prefect_phantom.adapters.store.accounts.passwords.matches", compute)
    guesses = [
        asyncio.create_task(_ask(application, "192.0.2.1", ("admin", f"guess {n}")))
        for n in range(wrong)
    ]
    while asked < wrong:
        await asyncio.sleep(0.01)
    response = await _ask(application, "192.0.2.2", ("admin", credentials.password))
    assert response.status_code == 200
    assert computed.index(credentials.password) == VERIFICATIONS_AT_ONCE
    assert {(await guess).status_code for guess in guesses} == {401}


@pytest.mark.attack(
    "one wrong password from each of a hundred addresses of one network, so that nobody can log in",
    "another network is the next one served, and who was right there before waits for nobody",
)
async def test_a_network_of_many_addresses_shuts_nobody_out(database, credentials, monkeypatch):
    known, told = Credentials(database, Notices(database)), threading.Event()
    near, far = parse("2001:db8:1::1"), parse("2001:db8:2::1")
    right = ("admin", credentials.password)
    assert await known.user_of_password(*right, near)

    def compute(password: str, stored: str) -> bool:
        assert password == credentials.password or told.wait(60)
        return matches(password, stored)

    monkeypatch.setattr("prefect_phantom.adapters.store.accounts.passwords.matches", compute)
    known._passwords._remembered.clear()
    known._known.clear()
    addresses = [parse(f"2001:db8:1:{number:x}::1") for number in range(MOST_WAITING + 10)]
    guesses = [
        asyncio.create_task(known.user_of_password("admin", "guess", each)) for each in addresses
    ]
    queue = known._passwords._verifications
    async with asyncio.timeout(60):
        while len(queue._waiting) < MOST_WAITING:
            await asyncio.sleep(0.01)
        assert (await known.user_of_password(*right, near)).username == "admin"
        known._passwords._remembered.clear()
        other = asyncio.create_task(known.user_of_password(*right, far))
        while (network(far), neighbourhood(far)) not in queue._waiting:
            await asyncio.sleep(0.01)
            assert not other.done()
        told.set()
        assert (await other).username == "admin"
    for guess in guesses:
        guess.cancel()
    await asyncio.gather(*guesses, return_exceptions=True)


async def _ask(application, peer: str, login: tuple[str, str]) -> httpx.Response:
    transport = httpx.ASGITransport(application, client=(peer, 5000))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as caller:
        return await caller.get("/rest/role/1", auth=login)


async def test_a_throttled_password_is_not_computed(sign_in, monkeypatch):
    for _ in range(FAILURES):
        await sign_in("192.0.2.1", "admin", "guess")
    monkeypatch.setattr("prefect_phantom.adapters.store.accounts.passwords.matches", None)
    assert (await sign_in("192.0.2.1", "admin", "guess")).status_code == 429


@pytest.mark.attack(
    "tokens that are made up, many at once, to keep the database busy",
    "they hold four connections at most, and others have their turn",
)
async def test_made_up_tokens_hold_few_connections_and_leave_others_their_turn(
    database, credentials, monkeypatch
):
    known = Credentials(database, Notices(database), LoginThrottle())
    answers: list[asyncio.Future[None]] = []
    authenticate = tokens.authenticate

    async def answer_when_told(database, token):
        if token.startswith("guess"):
            answers.append(asyncio.get_running_loop().create_future())
            await answers[-1]
        return await authenticate(database, token)

    monkeypatch.setattr(
        "prefect_phantom.adapters.store.accounts.tokens.authenticate", answer_when_told
    )
    guesses = [
        asyncio.create_task(known.user_of_token(f"guess {n}", parse("192.0.2.1")))
        for n in range(50)
    ]
    caller = asyncio.create_task(known.user_of_token(credentials.token, parse("192.0.2.2")))
    while len(answers) < LOOKED_UP_AT_ONCE:
        await asyncio.sleep(0)
    answers[0].set_result(None)
    assert (await caller).username == "operator"
    assert sum(guess.done() for guess in guesses) <= LOOKED_UP_AT_ONCE
    assert len(answers) <= 2 * LOOKED_UP_AT_ONCE
    for guess in guesses:
        guess.cancel()
    await asyncio.gather(*guesses, return_exceptions=True)


@pytest.mark.attack(
    "names with wrong passwords, many at once, to keep the database busy",
    "they hold four connections at most, and others have their turn",
)
async def test_made_up_names_hold_few_connections_and_leave_others_their_turn(
    database, credentials, monkeypatch
):
    known = Credentials(database, Notices(database), LoginThrottle(failures=1000))
    asked, go_on, most, now = asyncio.Semaphore(0), asyncio.Semaphore(0), 0, 0
    read = users._read

    async def read_when_told(database, username):
        nonlocal most, now
        now += 1
        most = max(most, now)
        asked.release()
        await go_on.acquire()
        now -= 1
        return await read(database, username)

    monkeypatch.setattr(users, "_read", read_when_told)
    guesses = [
        asyncio.create_task(known.user_of_password(f"user {n}", "guess", parse("192.0.2.1")))
        for n in range(20)
    ]
    for _ in range(LOOKED_UP_AT_ONCE):
        await asked.acquire()
    right = known.user_of_password("admin", credentials.password, parse("192.0.2.2"))
    caller = asyncio.create_task(right)
    await asyncio.sleep(0)
    for _ in range(2 * LOOKED_UP_AT_ONCE):
        go_on.release()
    async with asyncio.timeout(60):
        assert (await caller).username == "admin"
    assert most == LOOKED_UP_AT_ONCE
    for guess in guesses:
        guess.cancel()
    await asyncio.gather(*guesses, return_exceptions=True)


def fail(throttle: LoginThrottle, address: str, who: bytes) -> None:
    def guess() -> None:
        with throttle.attempt(parse(address), who, b"guess") as check:
            check()
            raise Unauthenticated(Unauthenticated.BAD_LOGIN)

    with pytest.raises(Unauthenticated):
        guess()


def test_failures_are_forgotten_when_their_time_is_over(monkeypatch):
    throttle, now = LoginThrottle(failures=2, minutes=5), time.monotonic_ns()
    monkeypatch.setattr(login_throttle.time, "monotonic_ns", lambda: now)
    fail(throttle, "192.0.2.1", b"ana")
    fail(throttle, "192.0.2.1", b"ana")
    attempt = throttle.attempt(parse("192.0.2.1"), b"ana", b"right")
    with pytest.raises(TooMany) as refused, attempt as check:
        check()
    assert refused.value.retry_after == 300
    monkeypatch.setattr(login_throttle.time, "monotonic_ns", lambda: now + 300 * SECOND)
    fail(throttle, "192.0.2.1", b"ana")


def test_many_who_fail_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(login_throttle, "MOST", 10)
    throttle = LoginThrottle(failures=2)
    for n in range(100):
        fail(throttle, f"192.0.2.{n}", b"ana")
        with throttle.attempt(parse(f"198.51.100.{n}"), b"ana", b"right") as check:
            check()
    assert len(throttle._failures) == len(throttle._right) == 10
