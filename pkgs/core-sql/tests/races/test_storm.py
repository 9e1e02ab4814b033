"""Lock order: whatever many sessions do to shared runs at once, none waits in a circle."""

import random
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest
from core_sql_support import Engine, Session, Task, mapping, step
from core_sql_support.crowd import DAWDLE

SESSIONS: Final = 8
ROUNDS: Final = 100
REFUSALS: Final = {
    "PF001",  # the flow is being made anew
    "PF002",  # the run was deleted
    "PF003",  # the flow was made anew with other steps
    "PF010",  # the run is completed, so there is nothing to retry
}
STEPS: Final = {
    "each": mapping(max_attempts=4),
    "list": step(),
    "inner": mapping("list"),
    "over": mapping("each", max_attempts=2, when_exhausted="skip"),
    "careful": step("each", when_unmet="fail", forbidden_input_pattern={"each": [{"ok": False}]}),
    "cascade": step("inner", max_attempts=1, when_exhausted="skip-cascade"),
    "after": step("cascade", "over"),
    "last": step("careful", "list"),
}


class Actor(Session):
    """A session that does at random what clients, workers and operators do."""

    def __init__(self, url: str, seed: int, recent: list[Task]) -> None:
        super().__init__(url, ["storm", "small"])
        self.conn.autocommit = True
        # A circle is found at once, not after a second; and nothing waits for ever.
        self.conn.execute("set deadlock_timeout = '20ms'; set lock_timeout = '60s'")
        self.random = random.Random(seed)
        self.recent = recent
        self.rarely = [
            *(self.start, self.start, self.start_again, self.fail_some, self.give_back),
            *(self.cancel, self.cancel_flow, self.retry, self.restart, self.prune, self.sweep),
            *(self.doze, self.watch, self.emit, self.compile_anew),
        ]

    def runs(self) -> list[UUID]:
        """Runs in no order, some of them twice."""
        known = self.column("select run_id from pgflow.runs order by random() limit 6")
        return known + known[:2]

    def tasks(self) -> list[Task]:
        """Tasks that somebody claimed of late, in no order; others may report them, too."""
        recent = self.recent[-60:]
        return self.random.sample(recent, min(len(recent), self.random.randint(1, 12)))

    def with_outputs(self, tasks: list[Task]) -> list[tuple[Task, Any]]:
        ok = {"ok": self.random.random() < 0.9}
        return [(task, [1, 2] if task.step == "list" else ok) for task in tasks]

    def take(self) -> None:
        self.recent += self.claim(self.random.randint(1, 12))

    def report(self) -> None:
        self.complete(*self.with_outputs(self.tasks()))

    def exchange(self) -> None:
        failed = self.tasks()[:3] if self.random.random() < 0.3 else []
        completed = self.with_outputs(self.tasks())
        self.recent += self.report_and_claim(completed, failed, 10, delay=0)[0]

    def start(self) -> None:
        self.start_many("storm", [list(range(self.random.randint(0, 6))) for _ in range(2)])

    def start_again(self) -> None:
        keys = self.random.sample(["one", "two", "three", "four"], 3)
        self.start_many("small", [1, 2, 3], idempotency_keys=keys)

    def fail_some(self) -> None:
        self.fail(*self.tasks(), final=self.random.random() < 0.2, delay=0)

    def give_back(self) -> None:
        self.release(*self.tasks())

    def emit(self) -> None:
        self.append(*[(task, 1, ["item"]) for task in self.tasks()])

    def cancel(self) -> None:
        self.rows("select pgflow.cancel_runs(%s::uuid[], 'storm')", self.runs()[-3:])

    def cancel_flow(self) -> None:
        self.call("cancel_flow_runs", self.random.choice(["storm", "small"]), "all", 2)

    def retry(self) -> None:
        self.rows("select pgflow.retry_run(%s)", self.runs()[0])

    def restart(self) -> None:
        slug = self.random.choice(["each", "list", "a"])
        self.rows("select pgflow.restart_run(%s, %s)", self.runs()[0], slug)

    def prune(self) -> None:
        self.call("prune_data_older_than", "0", 2)

    def sweep(self) -> None:
        self.lose_worker()
        self.call("requeue_stalled_tasks", 5)
        self.serve()

    def doze(self) -> None:
        self.call("wait_for_tasks", self.worker_id, self.random.sample(self.flows, 2))

    def watch(self) -> None:
        self.rows("select pgflow.watch_runs(%s, %s::uuid[])", self.worker_id, self.runs())

    def compile_anew(self) -> None:
        slugs = self.random.sample(["a", "b"], 2)
        shape = '{{"steps": [{{"slug": "{}"}}, {{"slug": "{}"}}]}}'.format(*slugs)
        self.call("ensure_flow_compiled", "small", shape, True)

    def act(self) -> None:
        often = self.random.choice([self.exchange, self.exchange, self.report, self.take])
        chosen = often if self.random.random() < 0.7 else self.random.choice(self.rarely)
        try:
            chosen()
        except IndexError:
            self.start()
        except psycopg.Error as error:
            if error.sqlstate == "PF007":
                self.serve()
            elif error.sqlstate not in REFUSALS:
                raise

    def rage(self) -> None:
        for _ in range(ROUNDS):
            self.act()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_storm_of_all_calls_meets_no_deadlock_and_breaks_no_rule(pg: Engine, db: str, seed: int):
    pg.flow("storm", STEPS, base_delay=0)
    pg.call("ensure_flow_compiled", "small", '{"steps": [{"slug": "a"}, {"slug": "b"}]}')
    pg.start_many("storm", [[1, 2, 3]] * SESSIONS)
    pg.conn.execute(DAWDLE)
    recent: list[Task] = []
    actors = [Actor(db, 100 * seed + number, recent) for number in range(SESSIONS)]
    try:
        for raging in [actor.later(actor.rage) for actor in actors]:
            raging.result()
    finally:
        for actor in actors:
            actor.close()
    # Something has come of it.
    assert pg.value("select count(*) > 50 from pgflow.step_tasks where status = 'completed'")
