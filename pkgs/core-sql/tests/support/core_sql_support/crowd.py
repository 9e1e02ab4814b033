"""Several workers and people who do random things to the same runs at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any, Final
from uuid import UUID

import psycopg

from core_sql_support.engine import Engine, Task
from core_sql_support.invariants import broken_rules

DAWDLE: Final = """
create function public.dawdle() returns trigger language plpgsql as $$
begin
  if random() < 0.2 then
    perform pg_sleep(random() * 0.004);
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end
$$;
do $$
declare
  v_table regclass;
begin
  for v_table in
    select class.oid from pg_class as class
    where class.relnamespace = 'pgflow'::regnamespace and class.relkind = 'r'
      and class.relname <> 'schema_migrations'
  loop
    execute format(
      'create trigger dawdle before insert or update or delete on %s'
      ' for each row execute function public.dawdle()', v_table
    );
  end loop;
end
$$;
"""
"""Makes calls overlap in their middle, on a machine of any number of processors."""

ENDS_ONCE: Final = """
create function public.refuse_second_end() returns trigger language plpgsql as $$
begin
  if old.status <> new.status and old.status not in ('created', 'queued', 'started')
    and current_setting('test.reopens', true) is distinct from 'on' then
    raise exception 'a row of % that was % became %: %', tg_table_name, old.status, new.status, new;
  end if;
  return new;
end
$$;
create trigger ends_once before update on pgflow.runs
for each row execute function public.refuse_second_end();
create trigger ends_once before update on pgflow.step_states
for each row execute function public.refuse_second_end();
create trigger ends_once before update on pgflow.step_tasks
for each row execute function public.refuse_second_end();
"""
"""What ended stays so, but where a run is retried or a step repeated."""


class Crowd:
    """Members who share runs, and what they have done to them."""

    def __init__(self, url: str, slugs: Sequence[str], run_ids: Sequence[UUID]) -> None:
        self.url = url
        self.slugs = slugs
        self.run_ids = run_ids
        self.given_out: list[Task] = []

    def act(self, observer: psycopg.Connection[Any], seeds: Sequence[int], actions: int) -> None:
        """Let one member a seed do this many things each, and watch the rules meanwhile."""
        with ThreadPoolExecutor(len(seeds)) as threads:
            members = [threads.submit(self._act_as, seed, actions) for seed in seeds]
            while not all(member.done() for member in members):
                assert broken_rules(observer) == []
            for member in members:
                member.result()
        keys = {(task.run_id, task.step, task.index, task.attempt) for task in self.given_out}
        assert len(keys) == len(self.given_out), "an attempt was given out twice"

    def finish(self, pg: Engine) -> None:
        """Take from all members what they hold, and do it."""
        pg.conn.execute("update pgflow.workers set stopped_at = now()")
        pg.serve(*self.slugs)
        while pg.value("select count(*) from pgflow.runs where status = 'started'"):
            pg.call("requeue_stalled_tasks")
            pg.come_due()
            # An output may fail its run by a condition further on, and so refuse others beside it.
            pg.complete(*[(task, [1]) for task in pg.claim()])

    def _act_as(self, seed: int, actions: int) -> None:
        with psycopg.connect(self.url, autocommit=True) as conn:
            member = Member(self, Engine(conn), Random(seed))
            for _ in range(actions):
                member.act()


class Member:
    """A worker, and a person who steers runs, on a connection of its own."""

    def __init__(self, crowd: Crowd, pg: Engine, random: Random) -> None:
        self.crowd = crowd
        self.pg = pg
        self.random = random
        self.held: list[Task] = []
        pg.serve(*crowd.slugs)

    def act(self) -> None:
        actions: dict[Callable[[], None], int] = {
            self.claim: 6,
            self.report: 8,
            self.report_and_claim: 8,
            self.release: 2,
            self.lose: 1,
            self.cancel: 1,
            self.retry: 2,
            self.restart: 2,
        }
        [action] = self.random.choices([*actions], [*actions.values()])
        action()

    def claim(self) -> None:
        self._keep(self.pg.claim(self.random.randrange(8)))

    def report(self) -> None:
        if self.random.random() < 0.3:
            self.pg.fail(*self._some(), final=self.random.random() < 0.3, delay=0)
        else:
            self.pg.complete(*[(task, self._output()) for task in self._some()])

    def report_and_claim(self) -> None:
        completed = [(task, self._output()) for task in self._some()]
        failed = self._some() if self.random.random() < 0.3 else []
        claimed, _ = self.pg.report_and_claim(completed, failed, self.random.randrange(8), delay=0)
        self._keep(claimed)

    def release(self) -> None:
        self.pg.release(*self._some())

    def lose(self) -> None:
        self.pg.lose_worker()
        self.pg.call("requeue_stalled_tasks")
        self.pg.call("heartbeat", self.pg.worker_id)

    def cancel(self) -> None:
        self.pg.rows("select pgflow.cancel_runs(%s)", [self.random.choice(self.crowd.run_ids)])

    def retry(self) -> None:
        run_id = self.random.choice(self.crowd.run_ids)
        try:
            self._reopen("select pgflow.retry_run(%s)", run_id)
        except psycopg.Error as error:
            if error.sqlstate != "PF010":  # completed
                raise

    def restart(self) -> None:
        run_id = self.random.choice(self.crowd.run_ids)
        self._reopen(
            "select pgflow.restart_run(%s, %s)",
            run_id,
            self.random.choice([*self.pg.steps(run_id)]),
        )

    def _reopen(self, query: str, *arguments: Any) -> None:
        self.pg.conn.execute("set test.reopens = on")
        try:
            self.pg.rows(query, *arguments)
        finally:
            self.pg.conn.execute("reset test.reopens")

    def _keep(self, claimed: list[Task]) -> None:
        self.held += claimed
        self.crowd.given_out += claimed

    def _some(self) -> list[Task]:
        """Pick attempts to report: mostly its own, now and then old ones or those of others."""
        pool = self.held if self.random.random() < 0.9 else self.crowd.given_out
        picked = self.random.sample(pool, min(len(pool), self.random.randrange(1, 6)))
        self.held = [task for task in self.held if task not in picked]
        return picked

    def _output(self) -> Any:
        return self.random.choice([[], [1], [1, None], {"n": 1}, None])
