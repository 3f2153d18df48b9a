"""``python -m tests.chaos.strangers --minutes 5``: what a caller notices of all that others send.

First the senders talk to a bare listener that refuses, then to the gateway; nice 19 and half a
processor are the same. Prints both, and is 1 when somebody was slowed down or anything was lost.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import sys
from collections.abc import Collection, Iterator

from tests.chaos.installation import Installation, installation
from tests.chaos.strangers.caller import Caller, Seen, make_tokens, percentile
from tests.chaos.strangers.refusing import refusing
from tests.chaos.strangers.rows import ROWS
from tests.chaos.strangers.sending import NICE, SHARE, Sent, sending

USUAL_DESCRIPTORS = 1024
MOST_RATIO = 3.0
LEAST_LEASE_SECONDS = 30.0
"""A lease of 60 s is renewed each 10 s, so less than this is a renewal or more that was missed."""


async def _measure(rows: Collection[str], minutes: float, share: float, nice: int) -> int:
    async with installation(worker="phantom", slots=5, secure=True) as system:
        caller, viewer = await make_tokens(system)
        await _warm(system, caller)
        with _control(rows, viewer, share, nice) as idle:
            control = await Caller(system, caller).work(minutes * 60)
        contract, runtime = ("127.0.0.1", system.port), ("127.0.0.1", system.runtime_port)
        with sending(
            rows,
            contract=contract,
            runtime=runtime,
            token=viewer,
            secure=True,
            share=share,
            nice=nice,
        ) as sent:
            attacked = await Caller(system, caller).work(minutes * 60, large="large" in rows)
    return _show(control, attacked, idle, sent)


@contextlib.contextmanager
def _control(rows: Collection[str], token: str, share: float, nice: int) -> Iterator[Sent]:
    with (
        refusing() as (secure, plain),
        sending(
            rows,
            contract=secure,
            runtime=plain,
            token=token,
            secure=True,
            share=share,
            nice=nice,
        ) as sent,
    ):
        yield sent


async def _warm(system: Installation, token: str) -> None:
    await Caller(system, token).work(5)


def _show(control: Seen, attacked: Seen, idle: Sent, sent: Sent) -> int:
    """Print the table; return an exit code."""
    print(f"{'':14}{'control':>12}{'attacked':>12}{'ratio':>8}")
    for name in ("status", "start"):
        for place in (50, 99):
            before, after = (percentile(getattr(each, name), place) for each in (control, attacked))
            print(f"{name} p{place}, ms {before:14.1f}{after:12.1f}{after / before:8.2f}")
    for title, seen, what in (("control", control, idle), ("attacked", attacked, sent)):
        print(
            f"{title}: {len(seen.status)} statuses, {len(seen.start)} starts, "
            f"failed {len(seen.failures)}, runs lost {len(seen.lost)}, "
            f"least lease {seen.least_lease:.0f} s, senders {what.share:.2f} of a processor"
        )
        for each in [*seen.failures[:10], *seen.lost[:10]]:
            print(f"  {each}")
    for answer in sorted({*idle.answers, *sent.answers}):
        print(f"  {idle.answers.get(answer, 0):10}{sent.answers.get(answer, 0):10}  {answer}")
    wrong = list(_wrong(control, attacked, sent))
    for each in wrong:
        print(f"WRONG: {each}")
    return 1 if wrong else 0


def _wrong(control: Seen, attacked: Seen, sent: Sent) -> Iterator[str]:
    """What should not have been seen."""
    for name in ("status", "start"):
        before, after = (percentile(getattr(each, name), 99) for each in (control, attacked))
        if after > MOST_RATIO * before:
            yield f"{name} p99 is {after / before:.1f} times the control's"
    if attacked.failures or attacked.lost:
        yield "requests failed, or runs were lost"
    if errors := [each for each in sent.answers if each.rpartition(": ")[2].startswith("5")]:
        yield f"a sender was answered by {', '.join(errors)}"
    if attacked.least_lease < LEAST_LEASE_SECONDS:
        yield f"a lease had only {attacked.least_lease:.0f} s left"


def main() -> int:
    """Parse the command line, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5, help="of each of the two phases")
    parser.add_argument("--share", type=float, default=SHARE, help="of a processor for the senders")
    parser.add_argument("--nice", type=int, default=NICE, help="of the senders")
    parser.add_argument("--rows", default=",".join(ROWS), help="of what is sent, by commas: all")
    arguments = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(USUAL_DESCRIPTORS, hard), hard))
    return asyncio.run(
        _measure(arguments.rows.split(","), arguments.minutes, arguments.share, arguments.nice)
    )


if __name__ == "__main__":
    sys.exit(main())
