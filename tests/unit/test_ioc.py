from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from prefect_phantom import ActionFailure
from prefect_phantom.apps import ioc
from prefect_phantom.apps.ioc import defang_iocs, extract_iocs, refang_iocs

REPORT = (
    "It calls hxxp://evil[.]example[.]com/a.php from 192.0.2[.]7 and 2001:db8::7, "
    "see CVE-2024-1234; md5 d41d8cd98f00b204e9800998ecf8427e, mail bad(at)example.net. "
)


def test_indicators_are_found_though_defanged() -> None:
    result = extract_iocs.function(REPORT)
    found = {row["type"]: row["values"] for row in result.data}
    assert found == {
        "cves": ["CVE-2024-1234"],
        "domains": ["evil.example.com", "example.net"],
        "email_addresses": ["bad@example.net"],
        "ipv4s": ["192.0.2.7"],
        "ipv6s": ["2001:db8::7"],
        "md5s": ["d41d8cd98f00b204e9800998ecf8427e"],
        "urls": ["http://evil.example.com/a.php"],
    }
    assert result.summary == {**{kind: len(values) for kind, values in found.items()}, "total": 8}
    assert result.message == (
        "Found 8 indicators: cves: 1, domains: 2, email_addresses: 1, ipv4s: 1, ipv6s: 1, "
        "md5s: 1, urls: 1"
    )


def test_kinds_of_kinds_are_told_by_both_names() -> None:
    found = {row["type"]: row["values"] for row in extract_iocs.function("They use T1566").data}
    assert found["attack_techniques_enterprise"] == ["T1566"]


def test_a_text_without_indicators_has_none() -> None:
    result = extract_iocs.function("Nothing to see here")
    assert (result.message, result.data, result.summary) == ("Found 0 indicators", [], {"total": 0})


def test_a_long_text_is_found_through_whole_and_each_indicator_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ioc, "PIECE", 100)
    addresses = [f"192.0.2.{number}" for number in range(1, 200)]
    found = {
        row["type"]: row["values"] for row in extract_iocs.function(" ".join(addresses * 2)).data
    }
    assert found == {"ipv4s": sorted(addresses)}  # none was cut in two between pieces


def working() -> list[psutil.Process]:
    """Processes in which a text is worked through."""
    return [child for child in psutil.Process().children() if "_work" in str(child.cmdline())]


def test_a_text_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ioc, "SECONDS", 0.2)
    extract_iocs.function("")  # imports what it needs
    with pytest.raises(ActionFailure) as failure:
        extract_iocs.function(REPORT * 10_000)
    assert str(failure.value) == "The text takes longer than 0.2 seconds"
    assert working() == []


@pytest.mark.attack(
    "a text whose every character costs a library time: 20,000 opening brackets",
    "given up when the time is over, and its process ended",
)
@pytest.mark.parametrize("look", [extract_iocs, refang_iocs], ids=lambda it: it.name)
@pytest.mark.parametrize("thread", [False, True])
def test_a_hostile_text_is_given_up(look, thread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ioc, "SECONDS", 1)

    def try_it() -> None:
        with pytest.raises(ActionFailure, match="The text takes longer than 1 seconds"):
            look.function("(" * 20_000)

    with ThreadPoolExecutor() as threads:
        threads.submit(try_it).result() if thread else try_it()
    assert working() == []


@pytest.mark.parametrize("look", [extract_iocs, defang_iocs, refang_iocs], ids=lambda it: it.name)
def test_a_text_that_is_too_long_is_refused(look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ioc, "LARGEST_TEXT", 10)
    with pytest.raises(ActionFailure) as failure:
        look.function("x" * 11)
    assert str(failure.value) == "The text has more than 10 characters"


def test_texts_are_defanged_and_back() -> None:
    text = "http://evil.example.com/a from 192.0.2.7"
    defanged = defang_iocs.function(text)
    assert defanged.data == [{"text": "hXXp://evil[.]example[.]com/a from 192[.]0[.]2[.]7"}]
    assert defanged.message == "The text is changed"
    assert refang_iocs.function(defanged.data[0]["text"]).data == [{"text": text}]
    assert defang_iocs.function("nothing").message == "The text is not changed"


def test_a_text_without_gaps_is_worked_through_all_the_same() -> None:
    assert refang_iocs.function("x" * 50_000).data == [{"text": "x" * 50_000}]
    assert extract_iocs.function("").summary == {"total": 0}
