"""The loop that compares unfinished runs with Prefect, carries out cancels, and ends what ended."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import ObjectNotFound
from prefect.states import Scheduled

from prefect_phantom.adapters.between.hints import Hints
from prefect_phantom.adapters.between.prefect.outage import PREFECT_ERRORS, is_outage
from prefect_phantom.adapters.between.signal import Signal
from prefect_phantom.adapters.prefect.deployments.containment import Containment
from prefect_phantom.adapters.prefect.runs.judgement import (
    End,
    EndCancelled,
    NoteCancelling,
    Nothing,
    Release,
    Restart,
    SetState,
    Settle,
    Verdict,
    judge,
)
from prefect_phantom.adapters.settings import Settings
from prefect_phantom.adapters.store.database.database import Database
from prefect_phantom.adapters.store.runs import unsettled_runs
from prefect_phantom.adapters.store.runs.unsettled_runs import UnsettledRun, Which

ENDING_SECONDS = 1.0
MOST_SET_BACK = 10
"""How often a flow run is set back to how its run has ended: something there may not give in."""
MOST_REMEMBERED = 10_000
MOST_TOLD = 3
"""Of what went wrong in one look at all runs, so much is told."""
MISSED_SECONDS = 60.0
"""What ended lately is looked at once more at most so often, however often events are missed."""
PAGE = 200
"""Prefect reads at most 200 flow runs at a time."""
logger = logging.getLogger("prefect_phantom.reconcile")


class Reconciler:
    """Compares rows with flow runs, page by page, at every signal and every few seconds."""

    def __init__(
        self,
        *,
        database: Database,
        client: PrefectClient,
        settings: Settings,
        signal: Signal,
        hints: Hints,
    ) -> None:
        self.database = database
        self.client = client
        self.settings = settings
        self.signal = signal
        self.hints = hints
        self._everything = 0.0
        self._changed: set[UUID] = set()
        self._missed = False
        self._look_back = 0.0
        self._set_back: Counter[UUID] = Counter()
        self._containment = Containment(logger)

    async def run(self) -> None:
        """Run until cancelled. An error ends this round and is the caller's to report.

        A signal has the cancelled runs looked at, every second those whose row has ended are, and
        the rest now and then: reading all of them is what costs Prefect.
        """
        clock = asyncio.get_running_loop().time
        ending = 0.0
        while True:
            which = Which.CANCELLING
            if clock() >= ending:
                which, ending = Which.ENDING, clock() + ENDING_SECONDS
            if clock() >= self._everything:
                which, self._everything = Which.ALL, clock() + self.settings.reconcile_seconds
            if self._changed:
                which = Which.ENDING if which is Which.CANCELLING else which
                changed = frozenset(self._changed)
                await unsettled_runs.unsettle(self.database, changed)
                self._changed -= changed
            # Not in a while: others are cancelled and suspended meanwhile, and have ended.
            failed = "Some runs were not settled, and are tried again"
            with self._containment.of(which, failed, ExceptionGroup):
                await self.sweep(which)
            if self._missed and clock() >= self._look_back:
                self._missed, self._look_back = False, clock() + MISSED_SECONDS
                try:
                    await self.look_back()
                except BaseException:
                    self._missed = True
                    raise
            await self.signal.wait(max(0.0, min(ending, self._everything) - clock()))

    def hurry(self) -> None:
        """Look at every run at once: something has happened in Prefect."""
        self._everything = 0.0
        self.signal.notify()

    def changed(self, flow_run_id: UUID) -> None:
        """Look at a flow run again that had ended: its state was changed after that."""
        self._changed.add(flow_run_id)
        self.signal.notify()

    def missed(self) -> None:
        """Something may have happened to flow runs that had ended, and nobody has told of it."""
        self._missed = True
        self.signal.notify()

    async def look_back(self) -> None:
        """Have runs that ended lately be looked at again where Prefect does not agree any more."""
        after = 0
        while page := await unsettled_runs.read_ended_lately(
            self.database, after=after, limit=PAGE
        ):
            flow_runs = await self._read([run.flow_run_id for run in page])
            for run in page:
                if not isinstance(self._judge(run, flow_runs.get(run.flow_run_id)), Settle):
                    self.changed(run.flow_run_id)
            after = page[-1].id

    async def sweep(self, which: Which = Which.ALL) -> None:
        """Look at unsettled runs once. One that Prefect does not let be settled stops no other.

        Raises `ExceptionGroup`, after all were looked at, of what Prefect did not do.
        """
        failures: list[Exception] = []
        after = 0
        while page := await unsettled_runs.read_page(self.database, which, after=after, limit=PAGE):
            flow_runs = await self._read([run.flow_run_id for run in page])
            for run in page:
                flow_run = flow_runs.get(run.flow_run_id)
                if flow_run is None or flow_run.state is not None:
                    try:
                        await self._settle(run, flow_run)
                    except PREFECT_ERRORS as error:
                        if is_outage(error):
                            raise
                        failures.append(error)
            after = page[-1].id
        if failures:
            message = "Prefect does not do what it is told"
            raise ExceptionGroup(message, failures[:MOST_TOLD])

    async def _read(self, flow_run_ids: Sequence[UUID]) -> dict[UUID, FlowRun]:
        found = await self.client.read_flow_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=list(flow_run_ids))), limit=PAGE
        )
        return {flow_run.id: flow_run for flow_run in found}

    async def _settle(self, run: UnsettledRun, flow_run: FlowRun | None) -> None:
        verdict = self._judge(run, flow_run)
        if not isinstance(verdict, Nothing):
            logger.info("Playbook run %s: %s", run.id, verdict)
            await self._carry_out(run, verdict)

    def _judge(self, run: UnsettledRun, flow_run: FlowRun | None) -> Verdict:
        return judge(
            run,
            flow_run.state if flow_run else None,
            now=datetime.now(UTC),
            pending_seconds=self.settings.pending_seconds,
        )

    async def _carry_out(self, run: UnsettledRun, verdict: Verdict) -> None:
        match verdict:
            case Settle():
                await unsettled_runs.settle(self.database, run.id)
            case End(status, message, settled):
                await unsettled_runs.end(self.database, run, status, message, settled=settled)
            case EndCancelled(text, settled):
                await unsettled_runs.end_cancelled(
                    self.database, run.id, text=text, settled=settled
                )
                # Not settled: Prefect is told in the same round, from the row as it now stands.
                if not settled:
                    self.signal.notify()
            case NoteCancelling():
                await unsettled_runs.note_cancelling(self.database, run.id)
                self.hints.stop(run.flow_run_id)
            case Restart(force):
                await self._restart(run, force=force)
            case Release():
                await unsettled_runs.release(self.database, run.id)
            case SetState(state, force):
                await self._set_state(run, state, force=force)
            case Nothing():
                pass

    async def _restart(self, run: UnsettledRun, *, force: bool) -> None:
        # Twice is harmless: whoever claims first has the run.
        if await self._set_state(run, Scheduled(), force=force):
            await unsettled_runs.restarted(self.database, run.id)
            self.hints.work()

    async def _set_state(self, run: UnsettledRun, state: State[None], *, force: bool) -> bool:
        """Whether the flow run is in `state` now; Prefect may refuse it, and has then another."""
        if state.is_cancelling():
            self.hints.stop(run.flow_run_id)
        sets_back = run.ended_age is not None
        if sets_back and not self._may_set_back(run.flow_run_id):
            await unsettled_runs.settle(self.database, run.id)
            return False
        try:
            told = await self.client.set_flow_run_state(run.flow_run_id, state, force=force)
        except ObjectNotFound:
            # Deleted between reading and telling; the next round sees that.
            logger.info("Flow run %s was deleted meanwhile", run.flow_run_id)
            return False
        if sets_back:
            self._set_back[run.flow_run_id] += 1
        return told.status is SetStateStatus.ACCEPT

    def _may_set_back(self, flow_run_id: UUID) -> bool:
        """Whether an ended flow run is set back once more. An automation might never give in.

        What Prefect could not write, as on a full disk, is no reason to give in to it.
        """
        if len(self._set_back) > MOST_REMEMBERED:
            self._set_back.clear()
        if self._set_back[flow_run_id] < MOST_SET_BACK:
            return True
        logger.warning(
            "Flow run %s was changed %s times after its end, and is left as it is",
            *(flow_run_id, MOST_SET_BACK),
        )
        return False
