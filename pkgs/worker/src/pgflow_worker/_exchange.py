"""The traffic with the database: reporting results and claiming tasks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from pgflow_client.worker_protocol import (
    AsyncConn,
    DatabaseError,
    Failure,
    Link,
    NoAnswer,
    Reports,
    TaskRow,
    claim_tasks,
    is_lasting,
    release_unknown_tasks,
    report_and_claim,
)

from pgflow_worker._aside import Aside
from pgflow_worker._observer import Observer
from pgflow_worker._outbox import Outbox
from pgflow_worker._slots import Reservation, Slots

logger: Final = logging.getLogger("pgflow.worker")

# A server that was cut off in mid-call may commit a claim after it was asked what we hold: seconds
# after which it is asked again.
_FURTHER_LOOKS: Final = (5.0, 30.0)
# How long a report may wait before it is looked whether somebody holds its runs, in seconds.
_PATIENCE: Final = 5.0
_LONGEST_PATIENCE: Final = 600.0
# Classes of errors that lie in a value, such as too deep a nesting.
_VALUE_ERRORS: Final = frozenset({"22", "54"})
_NOT_REGISTERED: Final = "PF007"
_NOTHING: Final = Reservation(quantity=0, room={})


class Exchange:
    """Reports what handlers return, and claims what there is room for.

    It knows what the worker holds: every attempt from its claim until its result is recorded.

    Args:
        worker_id: The worker.
        flow_slugs: The flows it serves.
        outbox: Results to report.
        slots: Room for tasks.
        dispatch: Takes over a claimed task.
        turn_away: Hands back a claimed task that there is no room for.
        register: Registers the worker, where the database does not know it any more.
        observer: Is told of claims and reports.

    Attributes:
        call_for_work: Set when it is worth to look for work.
        is_marked: Whether the database knows that the worker waits for work.
        looks: How often the database was asked for work and has answered.
        claimed: How many tasks came.
    """

    def __init__(
        self,
        *,
        worker_id: str,
        flow_slugs: list[str],
        outbox: Outbox,
        slots: Slots,
        dispatch: Callable[[TaskRow], None],
        turn_away: Callable[[TaskRow], None],
        register: Callable[[AsyncConn], Awaitable[None]],
        observer: Observer,
    ) -> None:
        self._worker_id: Final = worker_id
        self._flow_slugs: Final = flow_slugs
        self._outbox: Final = outbox
        self._aside: Final = Aside(outbox)
        self._slots: Final = slots
        self._dispatch: Final = dispatch
        self._turn_away: Final = turn_away
        self._register: Final = register
        self._observer: Final = observer
        self._held: Final[dict[tuple[str, str, int, int], TaskRow]] = {}
        self._claims_under_way = 0
        self._settled: Final = asyncio.Event()
        self._suspicions = 0
        self._may_hold_unknown = False
        self._is_claiming = True
        self.call_for_work: Final = asyncio.Event()
        self.is_marked = False
        self.looks = 0
        self.claimed = 0

    @property
    def is_claiming(self) -> bool:
        """Whether there is to be more work."""
        return self._is_claiming

    @property
    def held(self) -> list[TaskRow]:
        """Every attempt that is under way or whose result is not recorded yet."""
        return list(self._held.values())

    @property
    def held_count(self) -> int:
        """How many they are."""
        return len(self._held)

    def stop_claiming(self) -> None:
        """Claim no more. What is being claimed now still comes."""
        self._is_claiming = False
        self.call_for_work.set()

    async def wait_for_claims(self) -> None:
        """Return when nothing is being claimed."""
        while self._claims_under_way:
            self._settled.clear()
            await self._settled.wait()

    async def wait_until_empty(self) -> None:
        """Return when nothing is being claimed and every result is recorded."""
        while self._held or self._claims_under_way:
            self._settled.clear()
            await self._settled.wait()

    def drop(self, rows: Iterable[TaskRow]) -> None:
        """Forget attempts that were handed back."""
        for row in rows:
            self._held.pop(_key(row), None)
        self._settled.set()

    def let_go(self, row: TaskRow) -> None:
        """Forget an attempt that counts no longer and free its slot; its result is dropped."""
        if self._held.pop(_key(row), None) is not None:
            self._slots.give_back([row])
            self._settled.set()

    def settle(self, row: TaskRow, refused: str | None) -> None:
        """Take in that an attempt has recorded its output itself, or why that was refused."""
        refusals = [row._replace(refused=refused)] if refused is not None else []
        if refusals:
            _warn_of_refusals(refusals)
        reports = Reports(completed=[row], outputs=["null"], failures=[])
        self._observer.reported(reports, refusals)
        self.let_go(row)
        # What depends on it may be ready.
        self.call_for_work.set()

    async def run_lane(self, link: Link) -> None:
        """Report for ever, and claim with each report what it makes room for.

        While one lane waits for the server, results collect for another: a single result leaves at
        once, and under load batches grow by themselves.
        """
        while True:
            await self._outbox.filled.wait()
            reports = self._outbox.take()
            try:
                if reports:
                    reports = await self._aside.sort_out(link, reports)
                if reports:
                    await self._report(link, reports)
            except asyncio.CancelledError:
                # Where the lane ends before the worker does, somebody else may report them.
                self._outbox.put_back(reports)
                raise

    async def report_rest(self, link: Link) -> None:
        """Report what there is, where all lanes are gone, and hand back what they may have claimed.

        Args:
            link: A connection that is left.
        """
        self._suspect_unknown()
        while reports := self._outbox.take():
            await self._report(link, reports, claims=False)

    async def claim(self, link: Link) -> bool:
        """Claim what there is room for; return whether as much came as was asked for."""
        asked = self._reserve()
        if not asked.quantity:
            return False

        async def call(conn: AsyncConn) -> list[TaskRow]:
            return await claim_tasks(
                conn, self._worker_id, self._flow_slugs, asked.quantity, asked.text
            )

        claimed: list[TaskRow] = []
        try:
            claimed = _claimed(await self._call(link, call, insists=True))
            self.looks += 1
        finally:
            self._end_claim(asked, claimed)
        return len(claimed) == asked.quantity

    async def release_unknown(self, link: Link) -> None:
        """Hand back tasks of claims whose answer was lost with a connection, if there may be."""
        while self._may_hold_unknown:
            # Nothing is claimed while the flag is up, so what is under way now is the last of it.
            await self.wait_for_claims()
            suspicions = self._suspicions
            released = await link.call(
                lambda conn: release_unknown_tasks(conn, self._worker_id, self.held), insists=True
            )
            self._may_hold_unknown = suspicions != self._suspicions
            if released:
                logger.warning("handed back %d tasks whose claim was cut off", released)

    async def _call(
        self,
        link: Link,
        call: Callable[[AsyncConn], Awaitable[list[TaskRow]]],
        *,
        insists: bool = False,
        patience: float | None = None,
    ) -> list[TaskRow]:
        """Call, having the worker registered again where the database has forgotten it."""
        while True:
            try:
                return await link.call(
                    call, self._lost_an_answer, insists=insists, patience=patience
                )
            except DatabaseError as error:
                if error.sqlstate != _NOT_REGISTERED:
                    raise
            logger.warning("the database does not know worker %s: registering", self._worker_id)
            await link.call(self._register)

    async def _report(
        self,
        link: Link,
        reports: Reports,
        *,
        claims: bool = True,
        patience: float = _PATIENCE,
    ) -> None:
        # The slots of what is reported now are the room to claim into.
        freed = [row for row in reports.rows() if _key(row) in self._held]
        self._slots.give_back(freed)
        asked = self._reserve() if claims else _NOTHING

        async def call(conn: AsyncConn) -> list[TaskRow]:
            return await report_and_claim(
                conn, self._worker_id, self._flow_slugs, asked.quantity, reports, asked.text
            )

        claimed: list[TaskRow] = []
        try:
            rows = await self._call(link, call, patience=patience)
            self.drop(reports.rows())
            self._observer.reported(reports, [row for row in rows if row.refused is not None])
            claimed = _claimed(rows)
        except NoAnswer:
            self._slots.take_back(freed)
            self._aside.suspect(reports)
            rest = await self._aside.sort_out(link, reports)
            if rest:
                # If nobody holds them, the server is slow.
                longer = min(2 * patience, _LONGEST_PATIENCE)
                await self._report(link, rest, claims=False, patience=longer)
        except (DatabaseError, ValueError) as error:
            if isinstance(error, DatabaseError) and is_lasting(error):
                raise
            # The parts will free their slots again.
            self._slots.take_back(freed)
            if asked.quantity:
                # It may be the claim that fails, and no result is at fault.
                await self._report(link, reports, claims=False)
            else:
                await self._report_parts(link, reports, error)
        finally:
            if asked.quantity:
                self._end_claim(asked, claimed)
        # A flow whose limit was reached has no mark, and may have room again.
        needs_mark = not self.is_marked or self._slots.limits_flows
        if (needs_mark and len(claimed) < asked.quantity) or reports.failures:
            # There is room left over, or a retry may come due before the next look.
            self.is_marked = False
            self.call_for_work.set()

    async def _report_parts(
        self, link: Link, reports: Reports, error: DatabaseError | ValueError
    ) -> None:
        """Report in halves what the server refuses, so that one result does not stop the others."""
        if len(reports) > 1:
            for half in _halves(reports):
                await self._report(link, half, claims=False)
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
            # Another attempt would give the same value, but not the same trouble of the server.
            sqlstate = error.sqlstate if isinstance(error, DatabaseError) else None
            is_final = sqlstate is None or sqlstate[:2] in _VALUE_ERRORS
            message = f"the result cannot be stored: {error}"
            self._outbox.add_failure(Failure(row=row, message=message, is_final=is_final))
        else:
            # The database takes the task from its worker when its time is over.
            self.let_go(row)

    def _reserve(self) -> Reservation:
        if not self._is_claiming or self._may_hold_unknown:
            return _NOTHING
        asked = self._slots.reserve()
        if asked.quantity:
            self._claims_under_way += 1
        return asked

    def _end_claim(self, asked: Reservation, claimed: list[TaskRow]) -> None:
        """Dispatch what was claimed, and give back the slots that it did not fill."""
        excess = self._slots.settle(asked, claimed)
        for row in claimed:
            self._held[_key(row)] = row
        for row in claimed:
            if row in excess:
                self._turn_away(row)
            else:
                self._dispatch(row)
        self.claimed += len(claimed)
        self._observer.claimed(claimed, len(self._held))
        self._claims_under_way -= 1
        self._settled.set()
        if len(claimed) == asked.quantity:
            # The database has dropped the mark of a worker that may be full.
            self.is_marked = False
            if self._slots.free > 0:
                # It is not: another lane has freed slots meanwhile.
                self.call_for_work.set()

    def _lost_an_answer(self) -> None:
        self._suspect_unknown()
        for seconds in _FURTHER_LOOKS:
            asyncio.get_running_loop().call_later(seconds, self._suspect_unknown)

    def _suspect_unknown(self) -> None:
        self._suspicions += 1
        self._may_hold_unknown = True
        self.is_marked = False
        self.call_for_work.set()


def _claimed(rows: list[TaskRow]) -> list[TaskRow]:
    """Return the claimed tasks of an answer, and tell of the refused reports in it."""
    refused = [row for row in rows if row.refused is not None]
    if not refused:
        return rows
    _warn_of_refusals(refused)
    return [row for row in rows if row.refused is None]


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
