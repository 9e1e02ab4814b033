"""Calls of the SQL functions, as a client and a worker make them, in a few words."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from core_sql_support.jsonb import as_text


@dataclass(frozen=True, slots=True)
class Task:
    """A claimed task."""

    flow: str
    run_id: UUID
    step: str
    index: int
    attempt: int
    input: Any
    flow_input: Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """A report that changed nothing."""

    step: str
    index: int
    attempt: int | None
    reason: str


def step(*deps: str, **arguments: Any) -> dict[str, Any]:
    """Give the named arguments of add_step for a step with dependencies."""
    return {"deps_slugs": list(deps), **arguments}


def mapping(*deps: str, **arguments: Any) -> dict[str, Any]:
    """Give the named arguments of add_step for a map."""
    return step(*deps, step_type="map", **arguments)


class Engine:
    """The functions of one database, called on one connection by one worker."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn
        self.worker_id = uuid4()
        self.flows: list[str] = []

    def rows(self, query: Any, *arguments: object) -> list[tuple[Any, ...]]:
        return self.conn.execute(query, arguments or None).fetchall()

    def row(self, query: Any, *arguments: object) -> tuple[Any, ...]:
        [row] = self.rows(query, *arguments)
        return row

    def value(self, query: Any, *arguments: object) -> Any:
        [value] = self.row(query, *arguments)
        return value

    def column(self, query: Any, *arguments: object) -> list[Any]:
        return [value for [value] in self.rows(query, *arguments)]

    def call(self, function: str, *arguments: object, **named: object) -> Any:
        """Call a function that returns one value."""
        places = ["%s"] * len(arguments) + [f"{name} => %s" for name in named]
        values = [Jsonb(each) if isinstance(each, dict) else each for each in named.values()]
        return self.value(f"select pgflow.{function}({', '.join(places)})", *arguments, *values)

    def flow(self, slug: str, steps: dict[str, dict[str, Any]], **options: Any) -> str:
        """Define a flow and let the worker serve it."""
        self.call("create_flow", slug, **options)
        for step_slug, arguments in steps.items():
            self.call("add_step", slug, step_slug, **arguments)
        self.serve(slug)
        return slug

    def serve(self, *slugs: str) -> None:
        self.flows += [slug for slug in slugs if slug not in self.flows]
        self.call("register_worker", self.worker_id, self.flows)

    def start(self, slug: str, value: Any = None, **named: Any) -> UUID:
        places = "".join(f", {name} => %s" for name in named)
        return self.value(
            f"select run_id from pgflow.start_flow(%s, %s::jsonb{places})",
            slug,
            as_text({} if value is None else value),
            *named.values(),
        )

    def start_many(self, slug: str, values: Iterable[Any], **named: Any) -> list[UUID]:
        places = "".join(f", {name} => %s" for name in named)
        return self.column(
            f"select * from pgflow.start_flows(%s, %s::jsonb[]{places})",
            slug,
            [as_text(value) for value in values],
            *named.values(),
        )

    def claim(
        self,
        quantity: int | None = 1000,
        flows: Sequence[str] | None = None,
        worker_id: UUID | None = None,
    ) -> list[Task]:
        return [
            Task(*row)
            for row in self.rows(
                """
                select flow_slug, run_id, step_slug, task_index, attempts_count, input, flow_input
                from pgflow.claim_tasks(%s::text[], %s, %s)
                """,
                self.flows if flows is None else list(flows),
                quantity,
                worker_id or self.worker_id,
            )
        ]

    def claim_one(self, step_slug: str | None = None) -> Task:
        """Claim the only task that is ready."""
        [task] = self.claim()
        assert step_slug in (None, task.step)
        return task

    def complete(self, *reports: tuple[Task, Any]) -> list[Refusal]:
        """Report outputs in one call, and give the refused reports."""
        return self._refusals(
            "select * from pgflow.complete_tasks(%s::uuid[], %s, %s, %s::jsonb[], %s)",
            [task.run_id for task, _ in reports],
            [task.step for task, _ in reports],
            [task.index for task, _ in reports],
            [as_text(output) for _, output in reports],
            [task.attempt for task, _ in reports],
        )

    def fail(
        self,
        *tasks: Task,
        message: str | None = "boom",
        final: bool = False,
        delay: int | None = None,
    ) -> list[Refusal]:
        """Report failures in one call, and give the refused reports."""
        return self._refusals(
            "select * from pgflow.fail_tasks(%s::uuid[], %s, %s, %s::text[], %s, %s, %s::int[])",
            [task.run_id for task in tasks],
            [task.step for task in tasks],
            [task.index for task in tasks],
            [message for _ in tasks],
            [task.attempt for task in tasks],
            [final for _ in tasks],
            [delay for _ in tasks],
        )

    def report_and_claim(
        self,
        completed: Sequence[tuple[Task, Any]] = (),
        failed: Sequence[Task] = (),
        quantity: int = 0,
        *,
        final: bool = False,
        delay: int | None = None,
    ) -> tuple[list[Task], list[Refusal]]:
        """Report in one call, and give the claimed tasks and the refused reports."""
        rows = self.rows(
            """
            select flow_slug, run_id, step_slug, task_index, attempts_count, input, flow_input,
              refused
            from pgflow.report_and_claim(
              %s, %s::text[], %s, %s::uuid[], %s::text[], %s::int[], %s::int[], %s::jsonb[],
              %s::uuid[], %s::text[], %s::int[], %s::int[], %s::text[], %s::boolean[], %s::int[]
            )
            """,
            self.worker_id,
            self.flows,
            quantity,
            [task.run_id for task, _ in completed],
            [task.step for task, _ in completed],
            [task.index for task, _ in completed],
            [task.attempt for task, _ in completed],
            [as_text(output) for _, output in completed],
            [task.run_id for task in failed],
            [task.step for task in failed],
            [task.index for task in failed],
            [task.attempt for task in failed],
            ["boom" for _ in failed],
            [final for _ in failed],
            [delay for _ in failed],
        )
        claimed = [Task(*row[:-1]) for row in rows if row[-1] is None]
        refused = [Refusal(row[2], row[3], row[4], row[7]) for row in rows if row[-1] is not None]
        return claimed, refused

    def release(self, *tasks: Task) -> int:
        return self.value(
            "select pgflow.release_tasks(%s::uuid[], %s, %s, %s)",
            [task.run_id for task in tasks],
            [task.step for task in tasks],
            [task.index for task in tasks],
            [task.attempt for task in tasks],
        )

    def append(self, *emitted: tuple[Task, int, list[Any]]) -> list[Refusal]:
        """Store items of tasks, each from a number on, in one call; give the refused attempts."""
        return self._refusals(
            "select * from pgflow.append_to_streams(%s::uuid[], %s, %s, %s, %s, %s::jsonb[])",
            [task.run_id for task, _, _ in emitted],
            [task.step for task, _, _ in emitted],
            [task.index for task, _, _ in emitted],
            [task.attempt for task, _, _ in emitted],
            [number for _, number, _ in emitted],
            [json.dumps(items) for _, _, items in emitted],
        )

    def stream(self, run_id: UUID, step_slug: str, columns: str = "value", **named: Any) -> Any:
        """Read a stream."""
        places = "".join(f", {name} => %s" for name in named)
        rows = self.rows(
            f"select {columns} from pgflow.read_stream(%s, %s{places})",
            run_id,
            step_slug,
            *named.values(),
        )
        return rows if "," in columns else [row[0] for row in rows]

    def is_stream_ended(self, run_id: UUID, step_slug: str, index: int | None = None) -> bool:
        return self.value(
            "select is_ended from pgflow.get_stream_state(%s, %s, %s)", run_id, step_slug, index
        )

    def drain(self, outputs: dict[str, Any] | None = None) -> list[Task]:
        """Complete whatever can be claimed, with the outputs named by step, until nothing is."""
        done: list[Task] = []
        while tasks := self.claim():
            refused = self.complete(*[(task, (outputs or {}).get(task.step, 1)) for task in tasks])
            assert refused == []
            done += tasks
        return done

    def run(self, run_id: UUID, columns: str = "status, remaining_steps, output") -> Any:
        row = self.row(f"select {columns} from pgflow.runs where run_id = %s", run_id)
        return row if "," in columns else row[0]

    def step(self, run_id: UUID, step_slug: str, columns: str = "status") -> Any:
        row = self.row(
            f"select {columns} from pgflow.step_states where run_id = %s and step_slug = %s",
            run_id,
            step_slug,
        )
        return row if "," in columns else row[0]

    def steps(self, run_id: UUID, column: str = "status") -> dict[str, Any]:
        return dict(
            self.rows(
                f"select step_slug, {column} from pgflow.step_states where run_id = %s", run_id
            )
        )

    def task(self, task: Task, columns: str = "status") -> Any:
        [row] = self.tasks(task.run_id, task.step, columns, task.index)
        return row

    def tasks(
        self, run_id: UUID, step_slug: str, columns: str = "status", index: int | None = None
    ) -> list[Any]:
        rows = self.rows(
            f"""
            select {columns} from pgflow.step_tasks
            where run_id = %s and step_slug = %s and task_index = coalesce(%s, task_index)
            order by task_index
            """,
            run_id,
            step_slug,
            index,
        )
        return rows if "," in columns else [row[0] for row in rows]

    def lose_worker(self, worker_id: UUID | None = None) -> None:
        """Make a worker look as though it had not beaten for a day."""
        self.conn.execute(
            "update pgflow.workers set last_heartbeat_at = now() - interval '1 day'"
            " where worker_id = %s",
            (worker_id or self.worker_id,),
        )

    def come_due(self) -> None:
        """Let the time of every delayed task come."""
        self.conn.execute(
            "update pgflow.step_tasks set available_at = now() - interval '1 ms'"
            " where status = 'queued' and order_at = 'infinity'"
        )

    def _refusals(self, query: str, *arguments: object) -> list[Refusal]:
        return [Refusal(row[2], row[4], row[6], row[7]) for row in self.rows(query, *arguments)]
