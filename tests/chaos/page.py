"""The page of figures: what was broken, what was lost, and how soon work went on."""

import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tests.chaos.faults import FAULTS
from tests.chaos.judge import summary
from tests.chaos.suite import Outcome
from tests.chaos.world import WORKERS

_PROMISES = {
    "lost": "Runs that were lost, failed or ended with a wrong result; results that nobody made",
    "stuck": "Runs that were stuck",
    "twice": "Runs, steps and tasks that were recorded twice",
    "stale": "Results of stale attempts that were accepted",
    "doubled": "Writes of transactional steps that were doubled or missing",
    "broken": "Rules of the state machine that were broken",
    "exits": "Workers that ended by themselves",
    "misled": "Waiting clients that were told a wrong result, or none",
}

_HEAD = """\
# Chaos

{workers} workers serve runs of every shape: single steps, chains, maps, conditions, retries, skips,
transactional steps; async, in threads and in processes. Meanwhile workers, connections and the
server are killed, frozen, cut off and slowed down at random moments. A session that is idle in a
transaction is there all the time. Handlers note each call outside of the database, their outputs
name the call that made them, and triggers log each change of a status; what came of it is counted
from these records afterwards.

This page is written by the suite itself: `uv run nox -s chaos -- --chaos-page {page}`. The round
shown here had seed {seed}, took {seconds:.0f} s, and ran on {cpus} CPUs with PostgreSQL {server},
durable commits, and Python {python}, on {date}.
"""


def render(together: Outcome, alone: Sequence[Outcome], page: str) -> str:
    """Write the page.

    Args:
        together: The round of everything.
        alone: Rounds of one fault each.
        page: The name of the file.
    """
    head = _HEAD.format(
        workers=WORKERS,
        page=page,
        seed=together.round.seed,
        seconds=together.seconds,
        cpus=os.cpu_count(),
        server=together.server_version,
        python=platform.python_version(),
        date=datetime.now(UTC).date(),
    )
    return "\n".join([head, *promises(together), "", _LEGEND, *recoveries(together, alone), ""])


def promises(outcome: Outcome) -> list[str]:
    """Write the table of what must not be."""
    verdict = outcome.verdict
    rows = [f"| Runs started | {verdict.started:,} |"]
    rows += [f"| {text} | {getattr(verdict, name)} |" for name, text in _PROMISES.items()]
    return ["| What | How many |", "| --- | ---: |", *rows]


def recoveries(together: Outcome, alone: Sequence[Outcome] = ()) -> list[str]:
    """Write the table of faults and of the seconds until work went on."""
    happened = Counter(incident.name for incident in together.incidents)
    by_itself = {name: times for each in alone for name, times in each.verdict.recoveries.items()}
    rows: list[str] = []
    for name in FAULTS:
        if happened[name]:
            cells = [str(happened[name]), *_cells(together.verdict.recoveries.get(name))]
            rows.append(f"| {name} | {' | '.join(cells + _cells(by_itself.get(name)))} |")
    cells = [str(happened.total()), *_cells(_all(together.verdict.recoveries))]
    rows.append(f"| all | {' | '.join(cells + _cells(_all(by_itself)))} |")
    return [
        "| Fault | Times | p50 | Worst | Alone: p50 | Worst |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *rows,
    ]


def _cells(times: Sequence[float] | None) -> list[str]:
    return [f"{value:.1f} s" for value in summary(times)] if times else ["", ""]


def _all(recoveries: Mapping[str, Sequence[float]]) -> list[float]:
    return [value for times in recoveries.values() for value in times]


_LEGEND = """\
## How soon work goes on

After a worker was hit: until the last of its tasks was begun by another, or reported by itself. A
worker is lost after 7 seconds of silence. After anything else: from the end of its cause until a
task was completed. In the round above one fault follows the other, whether or not work has gone on,
so that whoever is to take a task over may be hit himself; the last two columns are of rounds in
which one fault happens alone, again when work has gone on.
"""
