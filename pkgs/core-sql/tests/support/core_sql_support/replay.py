"""A scenario played in the database and the model side by side, compared after each operation."""

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from core_sql_support.jsonb import as_json, as_text
from core_sql_support.model import Run
from core_sql_support.records import Flow, Report, Step
from core_sql_support.scenarios import Pick, Scenario

Sent: TypeAlias = tuple[int, Report]
"""A report, and the place of its run."""

_ROWS: Final = """
select 'run', run_id, null::text, null::int, null::int, jsonb_build_array(
  status, remaining_steps, output::text, error_message, failed_step_slug, first_attempt
)
from pgflow.runs where run_id = any(%(runs)s)
union all
select 'step', run_id, step_slug, null, null, jsonb_build_array(
  status, remaining_tasks, initial_tasks, remaining_deps, output::text, error_message, skip_reason
)
from pgflow.step_states where run_id = any(%(runs)s)
union all
select 'task', run_id, step_slug, task_index, null, jsonb_build_array(
  status, attempts_count, released_count, requeued_count, last_worker_id, output::text,
  error_message, status = 'queued' and order_at = 'infinity'
)
from pgflow.step_tasks where run_id = any(%(runs)s)
union all
select 'failure', run_id, step_slug, task_index, attempt, jsonb_build_array(
  error_message, retry_at is not null
)
from pgflow.task_attempts where run_id = any(%(runs)s)
"""

_numbers = itertools.count(1)


class Replay:
    """One scenario on one connection, with two workers."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn
        self.slugs: list[str] = []
        self.flows: list[Flow] = []
        self.workers = [uuid4(), uuid4()]
        self.run_ids: list[UUID] = []
        self.runs: list[Run] = []
        self.given_out: list[Sent] = []

    def play(self, scenario: Scenario) -> None:
        for steps in scenario.flows:
            self.define(steps)
        for worker in self.workers:
            self._call("register_worker", worker, self.slugs)
        for name, *arguments in scenario.operations:
            getattr(self, name)(*arguments)
            self._compare()
        self.finish()

    def clean(self) -> None:
        for slug in self.slugs:
            self._call("delete_flow_and_data", slug)

    # What a scenario consists of.

    def define(self, steps: Iterable[Step]) -> None:
        slug, flow = f"flow{next(_numbers)}", Flow()
        self.slugs.append(slug)
        self.flows.append(flow)
        self._call("create_flow", slug)
        for step in steps:
            flow.add_step(step)
            add_step(self.conn, slug, step)

    def start(self, number: int, inputs: Sequence[Any]) -> None:
        place = number % len(self.flows)
        if any(step.map_over == "run" for step in self.flows[place].steps.values()):
            inputs = [each if isinstance(each, list) else [each, each, 1] for each in inputs]
        rows = self._call("start_flows", self.slugs[place], [Jsonb(each) for each in inputs])
        self.run_ids += [run_id for (run_id,) in rows]
        self.runs += [Run(self.flows[place], each) for each in inputs]

    def claim(self, quantity: int, worker: int) -> None:
        rows = self._call("claim_tasks", self.slugs, quantity, self.workers[worker])
        self._let_claim(rows, quantity, worker)

    def report(self, picks: Sequence[Pick], worker: int | None) -> None:
        """Report failures, then outputs; with a worker, in one call that claims too."""
        failures: dict[tuple[Any, ...], Sent] = {}
        outputs: dict[tuple[Any, ...], Sent] = {}
        for number, pick in enumerate(picks):
            if sent := self._picked(pick):
                place, report = sent
                # Of a task that is twice in one array, it is not said which counts.
                key = place, report.step, report.index
                if pick.fails:
                    failed = {"error": f"error {number}", "is_final": pick.is_final}
                    report = report._replace(**failed, delay=pick.delay)
                    failures.setdefault(key, (place, report))
                else:
                    outputs.setdefault(key, self._with_output(sent, pick.output, pick.fits))
        self._send([*failures.values()], [*outputs.values()], worker)

    def report_held(self, which_fail: Sequence[bool], output: Any, fits: bool) -> None:
        """Report all that workers hold in one batch; the failures are final."""
        failures: list[Sent] = []
        outputs: list[Sent] = []
        held = [sent for sent in self.given_out if not self._refusal(sent)]
        for number, ((place, report), fails) in enumerate(zip(held, itertools.cycle(which_fail))):
            if fails:
                report = report._replace(error=f"error {number}", is_final=True)
                failures.append((place, report))
            else:
                outputs.append(self._with_output((place, report), output, fits))
        self._send(failures, outputs)

    def work(self, rounds: int, output: Any) -> None:
        """Claim all that is ready and complete it, again and again."""
        for _ in range(rounds):
            rows = self._call("claim_tasks", self.slugs, 1000, self.workers[0])
            claimed = self._let_claim(rows, 1000, 0)
            self._send([], [self._with_output(sent, output) for sent in claimed])
            self._compare()

    def release(self, picks: Sequence[Pick]) -> None:
        given = {self._picked(pick._replace(is_named=True)) for pick in picks} - {None}
        back = [sent for sent in given if sent and not self._refusal(sent)]
        assert self._call("release_tasks", *_columns(self.run_ids, given)) == [(len(back),)]
        for place, report in back:
            self.runs[place].release([report])

    def lose(self, worker: int) -> None:
        """Let a worker be silent for longer than its lease, and then come back."""
        worker_id = self.workers[worker]
        silence = "update pgflow.workers set last_heartbeat_at = '-infinity' where worker_id = %s"
        self.conn.execute(silence, (worker_id,))
        self._call("requeue_stalled_tasks")
        self._call("heartbeat", worker_id)
        for run in self.runs:
            run.requeue(str(worker_id), f"worker {worker_id} was lost")

    def cancel(self, numbers: Sequence[int]) -> None:
        places = {number % len(self.runs) for number in numbers}
        live = {self.run_ids[place] for place in places if self.runs[place].status == "started"}
        rows = self._call("cancel_runs", [self.run_ids[place] for place in places], "not needed")
        assert {run_id for (run_id,) in rows} == live
        for place in places:
            self.runs[place].cancel("not needed")

    def retry(self, number: int) -> None:
        place = number % len(self.runs)
        if self.runs[place].status != "completed":
            self._call("retry_run", self.run_ids[place])
            self.runs[place].retry()

    def restart(self, number: int, step: int) -> None:
        place = number % len(self.runs)
        slugs = [*self.runs[place].states]
        slug = slugs[step % len(slugs)]
        self._call("restart_run", self.run_ids[place], slug)
        self.runs[place].restart(slug)

    def come_due(self) -> None:
        """Let the time of delayed tasks come."""
        self.conn.execute(
            "update pgflow.step_tasks set available_at = now()"
            " where status = 'queued' and order_at = 'infinity' and run_id = any(%s)",
            (self.run_ids,),
        )
        self._call("_queue_due_tasks", self.slugs)
        for task in (task for run in self.runs for task in run.tasks.values()):
            task.is_delayed = False

    def finish(self) -> None:
        """Do all that is left, and see that every run ends and no attempt counts any more."""
        while any(run.status == "started" for run in self.runs):
            self.come_due()
            held = [sent for sent in self.given_out if not self._refusal(sent)]
            self._send([], [self._with_output(sent, 1) for sent in held])
            self.work(1, 1)
        rows = self._call("find_lost_attempts", *_columns(self.run_ids, self.given_out))
        lost = [(*row[1:3], row[4], row[6], row[7]) for row in rows]
        refused = [(sent, self._refusal(sent)) for sent in self.given_out]
        assert sorted(lost) == sorted(self._answers(refused))

    # How it is done.

    def _call(self, function: str, *arguments: Any, **named: Any) -> list[tuple[Any, ...]]:
        places = [*["%s"] * len(arguments), *(f"{name} => %s" for name in named)]
        query = f"select * from pgflow.{function}({', '.join(places)})"
        return self.conn.execute(query, [*arguments, *named.values()]).fetchall()

    def _compare(self) -> None:
        """Assert that the rows of the database say what the model says."""
        rows = self.conn.execute(_ROWS, {"runs": self.run_ids}).fetchall()
        found = {row[:-1]: row[-1] for row in rows}
        wanted = {
            (key[0], run_id, *key[1:]): values
            for run_id, run in zip(self.run_ids, self.runs, strict=True)
            for key, values in _rows_of(run)
        }
        differing = [
            f"{key} is {found.get(key)}, should be {wanted.get(key)}"
            for key in found.keys() | wanted.keys()
            if found.get(key) != wanted.get(key)
        ]
        assert not differing, "\n".join(sorted(differing))

    def _let_claim(self, rows: Sequence[Any], quantity: int, worker: int) -> list[Sent]:
        """Let the model claim what the database gave out."""
        ready = {
            (place, *key)
            for place, run in enumerate(self.runs)
            for key, task in run.tasks.items()
            if task.status == "queued" and not task.is_delayed
        }
        assert len(rows) == min(quantity, len(ready))
        claimed: list[Sent] = []
        for _, run_id, step, given, index, flow_input, attempt, _ in rows:
            place = self.run_ids.index(run_id)
            assert (place, step, index) in ready
            wanted = self.runs[place].claim(step, index, str(self.workers[worker]))
            assert _strictly(attempt, given, flow_input) == _strictly(*wanted)
            claimed.append((place, Report(step, index, attempt)))
        for place, step in {(place, report.step) for place, report in claimed}:
            if self.runs[place].flow.steps[step].map_over:
                [(shared,)] = self._call("get_shared_input", self.run_ids[place], step)
                assert _strictly(shared) == _strictly(self.runs[place].shared_input(step))
        self.given_out += sorted(claimed, key=lambda sent: (sent[0], sent[1][:3]))
        return claimed

    def _picked(self, pick: Pick) -> Sent | None:
        reason = None if pick.is_held else "stale_attempt"
        chosen = [sent for sent in self.given_out if self._refusal(sent) == reason]
        chosen = chosen or self.given_out
        if not chosen:
            return None
        place, report = chosen[-1 - pick.attempt % len(chosen)]
        return place, report if pick.is_named else report._replace(attempt=None)

    def _refusal(self, sent: Sent) -> str | None:
        return self.runs[sent[0]].refusal(sent[1])

    def _with_output(self, sent: Sent, output: Any, fits: bool = True) -> Sent:
        place, report = sent
        is_wrapped = fits and not isinstance(output, list)
        is_wrapped &= self.runs[place].flow.map_fed_by(report.step) is not None
        return place, report._replace(output=[as_json(output), 1] if is_wrapped else output)

    def _send(self, failures: list[Sent], outputs: list[Sent], worker: int | None = None) -> None:
        """Report to the database and to the model, and compare what they refuse."""
        if worker is None and len(failures) + len(outputs) == 1:
            self._send_one(*(failures or outputs)[0], fails=bool(failures))
            return
        failed, completed = _columns(self.run_ids, failures), _columns(self.run_ids, outputs)
        errors = [report.error for _, report in failures]
        finals = [report.is_final for _, report in failures]
        delays = [report.delay for _, report in failures]
        values = [as_text(report.output) for _, report in outputs]
        if worker is None:
            rows = self._call("fail_tasks", *failed[:3], errors, failed[3], finals, delays)
            rows += self._call("complete_tasks", *completed[:3], values, completed[3])
        else:
            quantity = len(outputs)
            rows = self._call(
                "report_and_claim",
                *(self.workers[worker], self.slugs, quantity, *completed, values),
                *(*failed, errors, finals, delays),
            )
        refused = [
            ((place, report), reason)
            for sent, method in ((failures, Run.fail), (outputs, Run.complete))
            for place, run in enumerate(self.runs)
            for report, reason in method(run, [each for at, each in sent if at == place])
        ]
        answers = [(*row[1:3], row[4], row[6], row[7]) for row in rows if row[7] is not None]
        assert sorted(map(repr, answers)) == sorted(map(repr, self._answers(refused)))
        if worker is not None:
            self._let_claim([row for row in rows if row[7] is None], quantity, worker)

    def _send_one(self, place: int, report: Report, *, fails: bool) -> None:
        """Report by the functions for one task, which give its row."""
        run, task = self.runs[place], (self.run_ids[place], report.step, report.index)
        columns = "select status, attempts_count from pgflow"
        if fails:
            arguments = (*task, report.error, report.attempt, report.is_final, report.delay)
            query = f"{columns}.fail_task(%s, %s, %s, %s, %s, %s, %s)"
            run.fail([report])
        else:
            arguments = (*task, as_text(report.output), report.attempt)
            query = f"{columns}.complete_task(%s, %s, %s, %s, %s)"
            run.complete([report])
        left = run.tasks.get((report.step, report.index))
        wanted = [] if left is None else [(left.status, left.attempts)]
        assert self.conn.execute(query, arguments).fetchall() == wanted

    def _answers(self, refused: Iterable[tuple[Sent, str | None]]) -> list[tuple[Any, ...]]:
        return [(self.run_ids[place], *each[:3], reason) for (place, each), reason in refused]


def add_step(conn: psycopg.Connection[Any], slug: str, step: Step) -> None:
    """Add a step of the model to a flow in the database."""
    arguments = {
        "deps_slugs": sorted(step.deps),
        "after_slugs": sorted(step.after),
        "step_type": "map" if step.map_over else "single",
        "map_over": step.map_over,
        "required_input_pattern": None if step.required is None else Jsonb(step.required),
        "forbidden_input_pattern": None if step.forbidden is None else Jsonb(step.forbidden),
        "when_unmet": step.when_unmet,
        "when_exhausted": step.when_exhausted,
        "takes_flow_input": step.takes_flow_input,
        "max_attempts": step.max_attempts,
        "base_delay": step.base_delay,
        "max_delay": step.max_delay,
        "start_delay": step.start_delay,
    }
    places = "".join(f", {name} => %s" for name in arguments)
    query = f"select pgflow.add_step(%s, %s{places})"
    conn.execute(query, (slug, step.slug, *arguments.values()))


def _columns(run_ids: Sequence[UUID], sent: Iterable[Sent]) -> list[list[Any]]:
    """Turn reports into the parallel arrays that name their tasks and attempts."""
    rows = [(run_ids[place], *report[:3]) for place, report in sent]
    return [[row[column] for row in rows] for column in range(4)]


def _rows_of(run: Run) -> Iterator[tuple[tuple[Any, ...], list[Any]]]:
    """Give what the tables should hold of a run, by kind, step, index and attempt."""
    yield (
        ("run", None, None, None),
        [
            *(run.status, run.remaining_steps(), as_text(run.output), run.error),
            *(run.failed_step, run.first_attempt),
        ],
    )
    for slug, state in run.states.items():
        yield (
            ("step", slug, None, None),
            [
                *(state.status, run.remaining_tasks(slug), state.initial_tasks),
                *(run.remaining_deps(slug), as_text(state.output), state.error, state.skip_reason),
            ],
        )
    for (slug, index), task in run.tasks.items():
        yield (
            ("task", slug, index, None),
            [
                *(task.status, task.attempts, task.free, task.requeued, task.worker),
                *(as_text(task.output), task.error, task.is_delayed and task.status == "queued"),
            ],
        )
    for (slug, index, attempt), (error, is_retried) in run.failures.items():
        yield ("failure", slug, index, attempt), [error, is_retried]


def _strictly(*values: Any) -> str:
    """Write values so that equal texts mean equal JSON: 1 is not true."""
    return json.dumps(values, sort_keys=True)
