"""What is taken for a secret, and what only looks like one."""

from __future__ import annotations

import re

import pytest

from prefect_phantom.adapters.security.secret_names import (
    holds_secret,
    is_secret_name,
    is_secret_setting,
    is_secret_text,
    secret_within,
)

SECRET = re.findall(
    r"\S+",
    """
    Authorization authorization proxy-authorization Proxy_Authorization bearer bearerToken
    cookie Set-Cookie cookies pass PASS smtp_pass smtpPass userpass dbpass db_pass pass_phrase
    passWord passcode passwd psk wpa_psk wpaPsk webhook webhook_url slackWebhook
    connection_string ConnectionString conn_str db.connection-string apiKey API_KEY APIKey
    apikey X-Api-Key key key2 client_key ssh_keys private_key privatekey PrivateKey signingkey
    presharedkey pre-shared-key accessKey account_key pwd dbpwd pat pin token tokens secret
    clientSecret credentials creds jwt otp totp dsn password_hash auth_token
    """,
)
HARMLESS = re.findall(
    r"\S+",
    """
    passive bypass by_pass bypass_cache compass pass_through passThrough passes surpass monkey
    monkeys passport passenger keyboard keyword hockey turkey whiskey key_count keystone
    author authority spin path pattern pinned opinion credit accredited inside design host
    port username timeout_seconds verify_certificate base_url sender company certificate
    signature
    """,
)
WHOLE = [
    "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----",
    "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----",
    "Bearer abcdef123456",
    "basic dXNlcjpwYXNz=",
    "ghp_" + "a1" * 18,
]
PART = [
    "https://TOKEN@host",
    "HTTPS://TOKEN@host/path",
    "see https://user:pw@host",
    "git+https://TOKEN@host/repository",
    "redis://:pw@host/0",
    "postgresql+asyncpg://user:pw@host/db",
    "https://host/?api_key=abc",
    "https://host/x?a=b&access_token=abc",
    "https://host/?api%5Fkey=abc",
    "https://host/#token=abc",
    "https://host/blob?sv=1&sig=abc",
    "host=h user=u password=p",
    "Server=h;Uid=u;Pwd=p;",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abc=",
    "Accept: text/plain\nAuthorization: Bearer abc",
    "X-Api-Key: abc",
    '{"user": "u", "password": "p"}',
    "https://hooks.slack.com/services/T0/B0/xyz",
    "https://discord.com/api/webhooks/1/x",
]
NEITHER = [
    "https://host/@user",
    "https://host/a?x=a@b",
    "ssh://git@host/x",
    "smtp://mail.example:25",
    "me@example.org",
    "Basic authentication",
    "https://host/?q=1&page=2",
    "https://host/{id}?api_key={api_key}",
    "-----BEGIN CERTIFICATE-----\nMIIE",
    "-----BEGIN PUBLIC KEY-----\nMIIE",
    "a: b",
    "host: example.org",
    "sort=asc&passive=true&monkey=1",
    "token",
    "en-US,en;q=0.9",
    "Mozilla/5.0 (X11; Linux x86_64)",
]


@pytest.mark.parametrize("name", SECRET)
def test_a_name_that_says_so_is_secret(name):
    assert is_secret_name(name)
    assert is_secret_setting(name, "x")
    assert secret_within({"a": [{name: "x"}]}, "settings") == f"settings.a.{name}"


@pytest.mark.parametrize("name", HARMLESS)
def test_a_name_that_only_sounds_like_it_is_not(name):
    assert not is_secret_name(name)


@pytest.mark.parametrize("text", WHOLE)
def test_a_text_that_is_a_secret_is_one_under_any_name(text):
    assert is_secret_text(text)
    assert is_secret_setting("other", text)
    assert secret_within([text], "settings") == "settings"


@pytest.mark.parametrize("text", PART)
def test_a_secret_inside_of_a_text_is_found(text):
    assert holds_secret(text)
    assert secret_within({"a": {"b": ["", text]}}, "settings") == "settings.a.b"
    assert secret_within({text: 1}, "settings") == "settings"


@pytest.mark.parametrize("text", NEITHER)
def test_a_text_without_a_secret_is_left_alone(text):
    assert not holds_secret(text)


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("use_token", True, False),
        ("token_lifetime", 3600, False),
        ("webhook_timeout", 5.5, False),
        ("pin", 1234, True),
        ("api_key", 12345, True),
    ],
)
def test_a_flag_or_a_measure_is_no_secret_and_a_number_may_be_one(name, value, secret):
    assert is_secret_setting(name, value) == secret


@pytest.mark.parametrize(
    "part",
    [
        *(
            "\n",
            " ",
            ":",
            "a:",
            "x://",
            "x://a:",
            "//",
            "eyJ-",
            '"a"',
            "-----BEGIN ",
            "pass_",
            "aA",
        ),
        *("conn_", "Bearer ", "a=", "@", "http://a", "'", "#a", "eyJaaaaaaaa.", "ghp_", "xox-"),
    ],
)
def test_a_text_as_long_as_a_body_may_be_is_soon_looked_through(part):
    """Where the work grew with the square of the length this would take hours."""
    holds_secret(part * (2**20 // len(part)))
