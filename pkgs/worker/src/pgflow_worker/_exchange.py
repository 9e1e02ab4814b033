"""The traffic with the database: reporting results and claiming tasks."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from pgflow_client.worker_protocol import (
    AsyncConn,
    DatabaseError,
    Failure,
    Link,
    Reports,
    TaskRow,
    claim_tasks,
    release_unknown_tasks,
    report_and_claim,
)

from pgflow_worker._outbox import Outbox
from pgflow_worker._slots import Slots

logger: Final = logging.getLogger("pgflow.worker")

# A server that was cut off in mid-call may commit a claim after it was asked what we hold.
_SECOND_LOOK: Final = 5.0


class Exchange:
    """Reports what handlers return, and claims what there is room for.

    It knows what the worker holds: every attempt from its claim until its result is recorded.

    Args:
        worker_id: The worker.
        flow_slugs: The flows it serves.
        outbox: Results to report.
        slots: Room for tasks.
        dispatch: Takes over a claimed task.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        flow_slugs: list[str],
        outbox: Outbox,
        slots: Slots,
        dispatch: Callable[[TaskRow], None],
    ) -> None:
        self._worker_id: Final = worker_id
        self._flow_slugs: Final = flow_slugs
        self._outbox: Final = outbox
        self._slots: Final = slots
        self._dispatch: Final = dispatch
        self._held: Final[dict[tuple[str, str, int, int], TaskRow]] = {}
        self._claims_under_way = 0
        self._no_claims: Final = asyncio.Event()
        self._no_claims.set()
        self._may_hold_unknown = False
        self.is_claiming = True
        self.call_for_work: Final = asyncio.Event()
        self.is_marked = False

    @property
    def held(self) -> list[TaskRow]:
        """Every attempt that is under way or whose result is not recorded yet."""
        return list(self._held.values())

    def drop(self, rows: Iterable[TaskRow]) -> None:
        """Forget attempts that were handed back."""
        for row in rows:
            self._held.pop(_key(row), None)

    def let_go(self, row: TaskRow) -> None:
        """Forget an attempt that counts no longer and free its slot; its result is dropped."""
        if self._held.pop(_key(row), None) is not None:
            self._slots.give_back(1)

    async def run_lane(self, link: Link) -> None:
        """Report for ever, and claim with each report what it makes room for.

        While one lane waits for the server, results collect for another: a single result leaves at
        once, and under load batches grow by themselves.
        """
        while True:
            await self._outbox.filled.wait()
            reports = self._outbox.take()
            if reports:
                await self._report(link, reports)

    async def claim(self, link: Link) -> bool:
        """Claim what there is room for; return whether as much came as was asked for."""
        quantity = self._reserve()
        if not quantity:
            return False

        async def call(conn: AsyncConn) -> list[TaskRow]:
            return await claim_tasks(conn, self._worker_id, self._flow_slugs, quantity)

        claimed = 0
        try:
            rows = await link.call(call, self._lost_an_answer)
            claimed = self._take_over(rows)
        finally:
            self._end_claim(quantity, claimed)
        return claimed == quantity

    async def release_unknown(self, link: Link) -> None:
        """Hand back tasks of claims whose answer was lost with a connection, if there may be."""
        if not self._may_hold_unknown:
            return
        # Nothing is claimed while the flag is up, so what is under way now is the last of it.
        await self._no_claims.wait()
        released = await link.call(
            lambda conn: release_unknown_tasks(conn, self._worker_id, self.held)
        )
        self._may_hold_unknown = False
        if released:
            logger.warning("handed back %d tasks whose claim was cut off", released)

    async def _report(self, link: Link, reports: Reports) -> None:
        # The slots of what is reported now are the room to claim into.
        freed = sum(_key(row) in self._held for row in reports.rows())
        self._slots.give_back(freed)
        quantity = self._reserve()

        async def call(conn: AsyncConn) -> list[TaskRow]:
            return await report_and_claim(
                conn, self._worker_id, self._flow_slugs, quantity, reports
            )

        claimed = 0
        try:
            rows = await link.call(call, self._lost_an_answer)
            self.drop(reports.rows())
            claimed = self._take_over(rows)
        except DatabaseError as error:
            # The parts will free their slots again.
            self._slots.take_back(freed)
            await self._report_parts(link, reports, error)
        finally:
            if quantity:
                self._end_claim(quantity, claimed)
        if (quantity and claimed < quantity and not self.is_marked) or reports.failures:
            # There is room left over, or a retry may come due before the next look.
            self.is_marked = False
            self.call_for_work.set()

    async def _report_parts(self, link: Link, reports: Reports, error: DatabaseError) -> None:
        """Report in halves what the server refuses, so that one result does not stop the others."""
        if len(reports) > 1:
            for half in _halves(reports):
                await self._report(link, half)
            return
        (row,) = reports.rows()
        logger.error(
            "the database refuses the result of step %s in run %s, task %d: %s",
            row.step_slug,
            row.run_id,
            row.task_index,
            error,
        )
        if reports.completed:
            self._outbox.add_failure(
                Failure(row=row, message=f"the result cannot be stored: {error}", is_final=True)
            )
        else:
            self.let_go(row)

    def _reserve(self) -> int:
        if not self.is_claiming or self._may_hold_unknown:
            return 0
        quantity = self._slots.reserve()
        if quantity:
            self._claims_under_way += 1
            self._no_claims.clear()
        return quantity

    def _end_claim(self, quantity: int, claimed: int) -> None:
        self._slots.give_back(quantity - claimed)
        self._claims_under_way -= 1
        if not self._claims_under_way:
            self._no_claims.set()
        if claimed == quantity:
            # The database has dropped the mark of a worker that may be full.
            self.is_marked = False

    def _take_over(self, rows: list[TaskRow]) -> int:
        """Dispatch claimed tasks and tell of refused reports; return how many were claimed."""
        refused = [row for row in rows if row.refused is not None]
        if refused:
            _warn_of_refusals(refused)
            rows = [row for row in rows if row.refused is None]
        for row in rows:
            self._held[_key(row)] = row
            self._dispatch(row)
        return len(rows)

    def _lost_an_answer(self) -> None:
        self._suspect_unknown()
        asyncio.get_running_loop().call_later(_SECOND_LOOK, self._suspect_unknown)

    def _suspect_unknown(self) -> None:
        self._may_hold_unknown = True
        self.is_marked = False
        self.call_for_work.set()


def _warn_of_refusals(rows: list[TaskRow]) -> None:
    """Tell of results that were not taken, in one line for each reason."""
    for reason in sorted({row.refused or "" for row in rows}):
        those = [row for row in rows if row.refused == reason]
        first = those[0]
        logger.warning(
            "%d results were not taken (%s), the first that of attempt %d of step %s in run %s, "
            "task %d",
            len(those),
            reason,
            first.attempt,
            first.step_slug,
            first.run_id,
            first.task_index,
        )


def _key(row: TaskRow) -> tuple[str, str, int, int]:
    return row.run_id, row.step_slug, row.task_index, row.attempt


def _halves(reports: Reports) -> tuple[Reports, Reports]:
    completed, failures = len(reports.completed), len(reports.failures)
    # Rounded so that neither half is empty: one kind up, the other down.
    ends = (completed + 1) // 2, failures // 2
    return (
        Reports(
            completed=reports.completed[: ends[0]],
            outputs=reports.outputs[: ends[0]],
            failures=reports.failures[: ends[1]],
        ),
        Reports(
            completed=reports.completed[ends[0] :],
            outputs=reports.outputs[ends[0] :],
            failures=reports.failures[ends[1] :],
        ),
    )
