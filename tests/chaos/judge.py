"""What came of it all: counts of what must not be, each found in the records and not believed."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from core_sql_support import broken_rules
from psycopg.rows import tuple_row

from tests.chaos.faults import BLOCKED_LOOP, Incident
from tests.chaos.inputs import Start
from tests.chaos.ledger import Execution

_TERMINAL = "('completed', 'failed', 'skipped', 'cancelled')"
_STUCK = "select count(*) from pgflow.runs where status = 'started'"
_TWICE = f"""
select count(*) from (
  select from chaos.log
  group by kind, run_id, step_slug, task_index
  having count(*) filter (where became in {_TERMINAL}) > 1 or bool_or(was in {_TERMINAL})
) as twice
"""
_OUTPUTS = """
select task.run_id::text, task.step_slug, task.task_index, task.attempts_count, task.output
from pgflow.step_tasks as task
where task.status = 'completed' and jsonb_typeof(task.output) = 'object'
"""
# The suite's failures name the attempt that raised them.
_STALE_FAILURES = """
select count(*) from pgflow.task_attempts
where error_message like '%planned failure of attempt %'
  and error_message !~ ('planned failure of attempt ' || attempt || '$')
"""
_DOUBLED = """
select count(*)
from pgflow.step_tasks as task
cross join lateral (
  select coalesce(array_agg(effect.token), '{}') as tokens from chaos.effects as effect
  where effect.run_id = task.run_id and effect.step_slug = task.step_slug
) as written
where task.flow_slug = 'pay' and written.tokens
  <> case when task.status = 'completed' then array[task.output ->> 'token'] else '{}' end
"""
_TAKEN_OVER = """
select extract(epoch from max(after.at))::float8 - %(at)s
from pgflow.workers as worker
join lateral (
  select distinct on (log.run_id, log.step_slug, log.task_index) log.*
  from chaos.log as log
  where log.kind = 'task' and log.at < to_timestamp(%(at)s)
  order by log.run_id, log.step_slug, log.task_index, log.at desc
) as held on held.became = 'started' and held.worker_id = worker.worker_id
cross join lateral (
  select min(log.at) as at from chaos.log as log
  where log.kind = 'task' and log.at > held.at and log.run_id = held.run_id
    and log.step_slug = held.step_slug and log.task_index = held.task_index
    and (log.became = 'started' or log.became in ('completed', 'failed', 'skipped'))
) as after
where worker.function_name = %(place)s
"""
_NEXT_COMPLETED = """
select extract(epoch from min(log.at))::float8 - %(at)s from chaos.log as log
where log.kind = 'task' and log.became = 'completed' and log.at > to_timestamp(%(at)s)
"""


@dataclass(slots=True, kw_only=True)
class Verdict:
    """Counts; all but the first have to be 0.

    Attributes:
        started: Runs whose start was acknowledged.
        lost: Runs that are gone, failed, or ended with a wrong result; results that nobody made.
        stuck: Runs that have not ended.
        twice: Runs, steps and tasks that ended more than once.
        stale: Results of attempts that did not count any more, and uses of such results.
        doubled: Tasks of transactional steps whose writes are there twice, or not at all.
        broken: Rules of the state machine that do not hold, counters that disagree above all.
        exits: Workers that ended by themselves.
        misled: Clients that were told a wrong result, or none.
        recoveries: Seconds until work went on, by the fault.
    """

    started: int = 0
    lost: int = 0
    stuck: int = 0
    twice: int = 0
    stale: int = 0
    doubled: int = 0
    broken: int = 0
    exits: int = 0
    misled: int = 0
    recoveries: dict[str, list[float]] = field(default_factory=dict)

    def faults(self) -> dict[str, int]:
        """What is not 0 and has to be."""
        names = ("lost", "stuck", "twice", "stale", "doubled", "broken", "exits", "misled")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


def judge(
    conn: psycopg.Connection[Any], started: dict[UUID, Start], executions: Iterable[Execution]
) -> Verdict:
    """Read what is recorded and compare it with what was started and what was done."""
    by_token = {execution.token: execution for execution in executions}
    verdict = Verdict(started=len(started))
    with conn.cursor(row_factory=tuple_row) as cursor:
        outputs = cursor.execute(_OUTPUTS).fetchall()
        verdict.stuck = _count(cursor, _STUCK)
        verdict.twice = _count(cursor, _TWICE)
        verdict.stale = _count(cursor, _STALE_FAILURES)
        verdict.doubled = _count(cursor, _DOUBLED)
        runs = cursor.execute("select run_id, status, output from pgflow.runs").fetchall()
    verdict.lost = _lost_runs(runs, started)
    verdict.broken = len(broken_rules(conn))
    recorded = {(row[0], row[4]["token"]) for row in outputs}
    for run_id, step_slug, task_index, attempts_count, output in outputs:
        made = by_token.get(output["token"])
        if made is None:
            verdict.lost += 1
            continue
        counts = Execution(
            token=made.token,
            run_id=run_id,
            step_slug=step_slug,
            task_index=task_index,
            attempt=attempts_count,
        )
        is_stale = made != counts or output["attempt"] != attempts_count
        verdict.stale += is_stale or any((run_id, token) not in recorded for token in output["of"])
    return verdict


def measure(conn: psycopg.Connection[Any], incidents: Sequence[Incident]) -> dict[str, list[float]]:
    """Find how long it took until work went on after each fault.

    After a worker was hit, until the last of the tasks that it held was begun by another, or
    reported by itself; after anything else, from the end of its cause until something completed.
    """
    found: dict[str, list[float]] = {}
    with conn.cursor(row_factory=tuple_row) as cursor:
        for incident in incidents:
            # A loop that is blocked goes on by itself; nobody takes over.
            if incident.name == BLOCKED_LOOP:
                continue
            if incident.place is not None:
                arguments = {"at": incident.began_at, "place": incident.place}
                row = cursor.execute(_TAKEN_OVER, arguments).fetchone()
            else:
                row = cursor.execute(_NEXT_COMPLETED, {"at": incident.ended_at}).fetchone()
            times = found.setdefault(incident.name, [])
            if row is not None and row[0] is not None:
                times.append(row[0])
    return found


def summary(times: Sequence[float]) -> tuple[float, float]:
    """Return the median and the worst."""
    return statistics.median(times), max(times)


def _lost_runs(rows: Sequence[tuple[Any, ...]], started: dict[UUID, Start]) -> int:
    """Count started runs that are gone, that failed, or whose result is wrong."""
    found = {run_id: (status, output) for run_id, status, output in rows}
    lost = Counter[str]()
    for run_id, start in started.items():
        status, output = found.get(run_id, ("gone", None))
        if status == "started":
            continue
        if status != "completed":
            lost[status] += 1
        elif result_of(start, output) != start.value:
            lost["wrong"] += 1
    return lost.total()


def result_of(start: Start, output: Any) -> Any:
    """Read the value out of a run's output; None where it is not there."""
    leaf = (output or {}).get(start.leaf)
    return leaf.get("value") if isinstance(leaf, dict) else None


def _count(cursor: psycopg.Cursor[Any], query: str) -> int:
    row = cursor.execute(query.encode()).fetchone()
    return int(row[0])
