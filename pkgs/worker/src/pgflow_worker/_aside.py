"""Results of runs that somebody's open transaction holds, so that they hold up no others."""

import asyncio
import logging
from collections.abc import Collection
from typing import Final

from pgflow_client.worker_protocol import Link, Reports, find_held_runs

from pgflow_worker._outbox import Outbox

logger: Final = logging.getLogger("pgflow.worker")

# How long results lie aside before it is asked whether their runs are free, in seconds.
_PAUSE: Final = 2.0


class Aside:
    """Knows runs that reports have had to wait for, and keeps their results back meanwhile.

    Args:
        outbox: Where results go when it is worth to try again.
    """

    def __init__(self, outbox: Outbox) -> None:
        self._outbox: Final = outbox
        self._suspects: Final[set[str]] = set()
        self._told: Final[set[str]] = set()

    def suspect(self, reports: Reports) -> None:
        """Have the runs of a batch looked at, whose report has waited for too long."""
        self._suspects.update(row.run_id for row in reports.rows())

    async def sort_out(self, link: Link, reports: Reports) -> Reports:
        """Put aside the results of runs that are held, and return the others."""
        if not self._suspects:
            return reports
        suspects = self._suspects.intersection(row.run_id for row in reports.rows())
        if not suspects:
            return reports
        held = await link.call(lambda conn: find_held_runs(conn, list(suspects)), insists=True)
        self._tell(held, suspects - held)
        if not held:
            return reports
        now, later = _split(reports, held)
        asyncio.get_running_loop().call_later(_PAUSE, self._outbox.put_back, later)
        return now

    def _tell(self, held: Collection[str], free: Collection[str]) -> None:
        """Tell of runs that were not known to be held, once."""
        self._suspects.difference_update(free)
        self._told.difference_update(free)
        news = sorted(set(held) - self._told)
        self._told.update(news)
        if news:
            runs = f"{len(news)} runs, the first {news[0]}" if news[1:] else f"run {news[0]}"
            logger.warning("another transaction holds %s: results wait for its end", runs)


def _split(reports: Reports, run_ids: Collection[str]) -> tuple[Reports, Reports]:
    """Divide a batch into the results of other runs and of these."""
    of_these = [row.run_id in run_ids for row in reports.completed]
    return (_part(reports, run_ids, of_these, False), _part(reports, run_ids, of_these, True))


def _part(
    reports: Reports, run_ids: Collection[str], of_these: Collection[bool], wanted: bool
) -> Reports:
    places = [place for place, is_one in enumerate(of_these) if is_one is wanted]
    return Reports(
        completed=[reports.completed[place] for place in places],
        outputs=[reports.outputs[place] for place in places],
        failures=[
            failure for failure in reports.failures if (failure.row.run_id in run_ids) is wanted
        ],
    )
