"""A flow engine at hand: what these tests ask of the database, in a few words."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest


@dataclass(frozen=True)
class Task:
    """A claimed task."""

    run_id: UUID
    step: str
    index: int
    attempt: int
    input: Any


class Engine:
    """Calls the SQL functions as a client and as a worker would."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn
        self.worker_id = uuid4()
        self.flows: list[str] = []

    def rows(self, query: Any, *arguments: object) -> list[tuple[Any, ...]]:
        return self.conn.execute(query, arguments).fetchall()

    def value(self, query: Any, *arguments: object) -> Any:
        return self.rows(query, *arguments)[0][0]

    def flow(self, slug: str, steps: dict[str, dict[str, Any]], **options: Any) -> str:
        """Define a flow: step slug -> named arguments of add_step."""
        names = "".join(f", {name} => %s" for name in options)
        self.conn.execute(f"select pgflow.create_flow(%s{names})", (slug, *options.values()))
        for step, arguments in steps.items():
            names = "".join(f", {name} => %s" for name in arguments)
            self.conn.execute(
                f"select pgflow.add_step(%s, %s{names})", (slug, step, *arguments.values())
            )
        self.flows.append(slug)
        self.conn.execute("select pgflow.register_worker(%s, %s)", (self.worker_id, self.flows))
        return slug

    def start(self, slug: str, value: Any = None, **arguments: Any) -> UUID:
        names = "".join(f", {name} => %s" for name in arguments)
        return self.value(
            f"select run_id from pgflow.start_flow(%s, %s::jsonb{names})",
            slug,
            json.dumps(value),
            *arguments.values(),
        )

    def claim(self, quantity: int = 100) -> list[Task]:
        return [
            Task(*row)
            for row in self.rows(
                "select run_id, step_slug, task_index, attempts_count, input"
                " from pgflow.claim_tasks(%s, %s, %s)",
                self.flows,
                quantity,
                self.worker_id,
            )
        ]

    def complete(self, task: Task, output: Any = 1) -> str:
        return self.value(
            "select status from pgflow.complete_task(%s, %s, %s, %s::jsonb, %s)",
            task.run_id,
            task.step,
            task.index,
            json.dumps(output),
            task.attempt,
        )

    def refusals(self, task: Task, output: Any = 1) -> list[str]:
        return [
            row[0]
            for row in self.rows(
                "select refused from pgflow.complete_tasks(%s, %s, %s, %s::jsonb[], %s)",
                [task.run_id],
                [task.step],
                [task.index],
                [json.dumps(output)],
                [task.attempt],
            )
        ]

    def fail(self, task: Task, message: str = "boom", *, is_final: bool = True) -> str:
        return self.value(
            "select status from pgflow.fail_task(%s, %s, %s, %s, %s, %s)",
            task.run_id,
            task.step,
            task.index,
            message,
            task.attempt,
            is_final,
        )

    def finish(self, output: Callable[[Task], Any] = lambda task: task.index) -> list[Task]:
        """Complete whatever can be claimed until nothing is left; return what was done."""
        done: list[Task] = []
        while tasks := self.claim():
            for task in tasks:
                self.complete(task, output(task))
            done += tasks
        return done

    def run(self, run_id: UUID) -> dict[str, Any]:
        columns = "status, output, error_message, failed_step_slug, remaining_steps"
        row = self.rows(f"select {columns} from pgflow.runs where run_id = %s", run_id)[0]
        return dict(zip(columns.split(", "), row, strict=True))

    def states(self, run_id: UUID) -> dict[str, str]:
        return dict(
            self.rows("select step_slug, status from pgflow.step_states where run_id = %s", run_id)
        )

    def statuses(self, run_id: UUID, step: str) -> list[str]:
        return [
            row[0]
            for row in self.rows(
                "select status from pgflow.step_tasks where run_id = %s and step_slug = %s"
                " order by task_index",
                run_id,
                step,
            )
        ]

    def check(self) -> None:
        """Assert what holds of every run at any time."""
        assert self.rows(_WRONG_STEPS) == []
        assert self.rows(_WRONG_DEPS) == []
        assert self.rows(_WRONG_TASKS) == []
        assert self.rows(_LIVE_UNDER_ENDED) == []


_WRONG_STEPS = """
select run.run_id, run.remaining_steps, count(state.*)
from pgflow.runs as run
left join pgflow.step_states as state
  on state.run_id = run.run_id and state.status not in ('completed', 'skipped')
group by run.run_id having run.remaining_steps <> count(state.*)
"""
_WRONG_DEPS = """
select state.run_id, state.step_slug, state.remaining_deps, count(parent.*)
from pgflow.step_states as state
left join pgflow.deps as dep
  on dep.flow_slug = state.flow_slug and dep.step_slug = state.step_slug
left join pgflow.step_states as parent
  on parent.run_id = state.run_id and parent.step_slug = dep.dep_slug
  and parent.status not in ('completed', 'skipped')
group by state.run_id, state.step_slug having state.remaining_deps <> count(parent.*)
"""
_WRONG_TASKS = """
select state.run_id, state.step_slug, state.remaining_tasks, count(task.*)
from pgflow.step_states as state
left join pgflow.step_tasks as task
  on task.run_id = state.run_id and task.step_slug = state.step_slug
  and task.status <> 'completed'
where state.status in ('started', 'completed')
group by state.run_id, state.step_slug having state.remaining_tasks <> count(task.*)
"""
_LIVE_UNDER_ENDED = """
select task.run_id, task.step_slug, task.status, state.status, run.status
from pgflow.step_tasks as task
join pgflow.step_states as state
  on state.run_id = task.run_id and state.step_slug = task.step_slug
join pgflow.runs as run on run.run_id = task.run_id
where task.status in ('queued', 'started')
  and (state.status <> 'started' or run.status <> 'started')
union all
select state.run_id, state.step_slug, null, state.status, run.status
from pgflow.step_states as state
join pgflow.runs as run on run.run_id = state.run_id
where state.status in ('created', 'started') and run.status <> 'started'
"""


@pytest.fixture
def engine(conn: psycopg.Connection[Any]) -> Engine:
    """Calls of a client and of a worker on the test's database."""
    return Engine(conn)


@pytest.fixture
def chain(engine: Engine) -> str:
    """The slug of a flow of three steps, one after the other."""
    return engine.flow(
        "chain",
        {"first": {}, "second": {"deps_slugs": ["first"]}, "third": {"deps_slugs": ["second"]}},
    )


def wait_until_blocked(conn: psycopg.Connection[Any], pids: Sequence[int]) -> bool:
    """Tell whether every one of these backends waits for a lock."""
    row = conn.execute(
        "select count(*) from pg_stat_activity where pid = any(%s) and wait_event_type = 'Lock'",
        (list(pids),),
    ).fetchone()
    return row is not None and row[0] == len(pids)
