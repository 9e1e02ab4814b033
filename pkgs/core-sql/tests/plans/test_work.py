"""What calls cost does not depend on how much there is: no call reads a table or an index whole.

Counted in rows and pages, on large tables, on large tables whose plans were made while they were
empty or small, and on small ones, where a scan would look cheap to the planner.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
import pytest
from core_sql_support import Engine, Task, Work, explained, fill, keep_unanalyzed, mapping, step

BATCH: Final = 10
# Generous: a call about ten tasks reads a few rows and a few pages of indexes for each.
MOST_ROWS: Final = 400
MOST_PAGES: Final = 1500
# Tables that grow with what happens; those of definitions may well be scanned.
GROWING: Final = {
    *("runs", "step_states", "step_tasks", "task_attempts", "run_keys"),
    *("streams", "stream_items"),
}

Call = Callable[[Engine, "Scene"], Work]


class Scene:
    """What the calls are about: started tasks of every kind, and runs."""

    def __init__(self, pg: Engine) -> None:
        pg.serve("site", "maps", "quiet")
        self.tasks: list[Task] = pg.claim(BATCH, flows=["site"])
        self.elements: list[Task] = pg.claim(BATCH, flows=["maps"])
        self.map_run = self.elements[0].run_id
        self.queued = pg.column(
            "select run_id from pgflow.step_tasks where flow_slug = 'site' and status = 'queued'"
            " and order_at < 'infinity' order by order_at limit %s",
            BATCH,
        )
        self.failed = pg.column(
            "select run_id from pgflow.task_attempts order by run_id limit %s", BATCH
        )


def columns(tasks: list[Task]) -> list[list[Any]]:
    return [
        [task.run_id for task in tasks],
        [task.step for task in tasks],
        [task.index for task in tasks],
    ]


def attempts(tasks: list[Task]) -> list[int]:
    return [task.attempt for task in tasks]


def claim(flows: list[str]) -> Call:
    query = "select * from pgflow.claim_tasks(%s, %s, %s)"
    return lambda pg, scene: explained(pg, query, flows, BATCH, pg.worker_id)


def complete(pick: Callable[[Scene], list[Task]]) -> Call:
    query = "select * from pgflow.complete_tasks(%s::uuid[], %s, %s, %s::jsonb[], %s)"

    def call(pg: Engine, scene: Scene) -> Work:
        tasks = pick(scene)
        return explained(pg, query, *columns(tasks), ["1"] * len(tasks), attempts(tasks))

    return call


def fail(*, final: bool) -> Call:
    query = "select * from pgflow.fail_tasks(%s::uuid[], %s, %s, %s::text[], %s, %s)"

    def call(pg: Engine, scene: Scene) -> Work:
        tasks = scene.tasks
        size = len(tasks)
        return explained(pg, query, *columns(tasks), ["no"] * size, attempts(tasks), [final] * size)

    return call


def of_tasks(query: str) -> Call:
    """A call that takes tasks and their attempts."""
    return lambda pg, scene: explained(
        pg, query, *columns(scene.elements), attempts(scene.elements)
    )


def plain(query: str, *arguments: Callable[[Engine, Scene], Any]) -> Call:
    return lambda pg, scene: explained(pg, query, *[each(pg, scene) for each in arguments])


def exchange(pg: Engine, scene: Scene) -> Work:
    query = """
    select * from pgflow.report_and_claim(
      %s, %s::text[], %s, %s::uuid[], %s::text[], %s::int[], %s::int[], %s::jsonb[], %s::uuid[],
      %s::text[], %s::int[], %s::int[], %s::text[]
    )
    """
    done, failed = scene.tasks[:5], scene.tasks[5:]
    return explained(
        *(pg, query, pg.worker_id, ["site", "maps"], BATCH),
        *(*columns(done), attempts(done), ["1"] * len(done)),
        *(*columns(failed), attempts(failed), ["no"] * len(failed)),
    )


def recover(pg: Engine, scene: Scene) -> Work:
    pg.lose_worker()
    return explained(pg, "select pgflow.requeue_stalled_tasks()")


def come_due(pg: Engine, scene: Scene) -> Work:
    pg.conn.execute(
        "update pgflow.step_tasks set available_at = now() - interval '1 s'"
        " where ctid = any (array("
        "  select ctid from pgflow.step_tasks where flow_slug = 'site' and status = 'queued'"
        "  and order_at = 'infinity' order by available_at limit 10))"
    )
    return claim(["site"])(pg, scene)


def worker_of(pg: Engine, scene: Scene) -> Any:
    return pg.worker_id


HOT: Final[dict[str, Call]] = {
    "claim": claim(["site"]),
    "claim of several flows": claim(["site", "maps", "quiet"]),
    "claim of a flow without work": claim(["quiet"]),
    "claim where delayed tasks have come due": come_due,
    "complete": complete(lambda scene: scene.tasks),
    "complete elements": complete(lambda scene: scene.elements),
    "complete what is not held": complete(
        lambda scene: [
            Task("site", run_id, "a", 0, 1, None, None) for run_id in scene.queued + scene.failed
        ]
    ),
    "fail and retry": fail(final=False),
    "fail for good": fail(final=True),
    "report and claim": exchange,
    "release": of_tasks("select pgflow.release_tasks(%s::uuid[], %s, %s, %s)"),
    "lost attempts": of_tasks("select * from pgflow.find_lost_attempts(%s::uuid[], %s, %s, %s)"),
    "start": plain("select * from pgflow.start_flow('site', '{}')"),
    "start many": plain(
        "select * from pgflow.start_flows('site', array_fill('{}'::jsonb, array[10]))"
    ),
    "requeue": recover,
    "wait": plain("select pgflow.wait_for_tasks(%s, '{site,maps,quiet}')", worker_of),
    "progress": plain("select pgflow.get_run_progress(%s)", lambda pg, scene: scene.map_run),
    "backlog": plain("select pgflow.get_backlog(array['site', 'maps', 'quiet'], 100)"),
    "backlog of all": plain("select pgflow.get_backlog(quantity => 100)"),
    "release unknown": plain(
        "select pgflow.release_unknown_tasks(%s, '{}', '{}', '{}', '{}')", worker_of
    ),
}
STEERING: Final[dict[str, Call]] = {
    "start with a key": plain(
        "select * from pgflow.start_flow('site', '{}', idempotency_key => 'key')"
    ),
    "read a run": plain("select pgflow.get_run_with_states(%s)", lambda pg, scene: scene.map_run),
    "watch": plain(
        "select pgflow.watch_runs(%s, %s::uuid[])", worker_of, lambda pg, scene: scene.queued
    ),
    "cancel": plain("select * from pgflow.cancel_runs(%s::uuid[])", lambda pg, scene: scene.queued),
    "cancel by flow": plain("select pgflow.cancel_flow_runs('site', null, 10)"),
    "retry": plain("select * from pgflow.retry_run(%s)", lambda pg, scene: scene.failed[0]),
    "restart": plain(
        "select * from pgflow.restart_run(%s, 'a')", lambda pg, scene: scene.failed[0]
    ),
    "prune": plain("select pgflow.prune_data_older_than('1 day', 10)"),
    "read what a run came to": plain(
        "select pgflow.get_run_failure(%s)", lambda pg, scene: scene.failed[0]
    ),
    "versions": plain(
        "select pgflow.get_run_versions(%s::uuid[])", lambda pg, scene: scene.queued + scene.failed
    ),
    "reopenings": plain(
        "select * from pgflow.get_run_reopenings(%s)", lambda pg, scene: scene.failed[0]
    ),
    "items": plain("select * from pgflow.read_stream(%s, 'm')", lambda pg, scene: scene.map_run),
    "page of runs": plain("select pgflow.list_runs('site', quantity => 10)"),
    "statistics": plain("select * from pgflow.flow_stats"),
    "newest runs": plain(
        "select * from pgflow.run_overview order by run_id desc limit 10",
    ),
    "newest runs of a flow": plain(
        "select * from pgflow.run_overview where flow_slug = 'site' order by run_id desc limit 10",
    ),
    "one run": plain(
        "select * from pgflow.run_overview where run_id = %s", lambda pg, scene: scene.failed[0]
    ),
    "statistics of a flow that rests": plain(
        "select * from pgflow.flow_stats where flow_slug = 'quiet'"
    ),
    "queue of a flow that rests": plain(
        "select * from pgflow.queue_depth where flow_slug = 'quiet'"
    ),
}


@pytest.fixture
def flows(conn: psycopg.Connection[Any]) -> Engine:
    """An engine with the flows; that no rule is broken is too much to ask of this many runs."""
    pg = Engine(conn)
    pg.flow("site", {"a": step()})
    pg.flow("quiet", {"a": step()})
    pg.flow("maps", {"m": mapping(), "total": step("m")})
    return pg


@contextmanager
def undone(pg: Engine) -> Iterator[None]:
    """Take back what is done inside."""
    with pg.conn.transaction(force_rollback=True):
        yield


def costly(pg: Engine, calls: dict[str, Call]) -> dict[str, Work]:
    """Make each call, and give those that read more than their share."""
    found: dict[str, Work] = {}
    for name, call in calls.items():
        with undone(pg):
            work = call(pg, Scene(pg))
        work.scanned &= GROWING
        if work.scanned or work.total() > MOST_ROWS or work.pages > MOST_PAGES:
            found[name] = work
    return found


def test_calls_cost_the_same_on_large_tables(flows: Engine, db: str):
    keep_unanalyzed(flows.conn)
    fill(flows.conn)
    assert costly(flows, HOT | STEERING) == {}
    flows.conn.execute("vacuum analyze")
    with psycopg.connect(db, autocommit=True) as conn:
        assert costly(Engine(conn), HOT | STEERING) == {}


def use(pg: Engine) -> None:
    """Make each call often enough that its plans are made and kept: six times at most."""
    for _ in range(6):
        pg.serve("site", "maps", "quiet")
        pg.start_many("site", range(3 * BATCH))
        pg.start("maps", list(range(2 * BATCH)))
        pg.fail(*pg.claim(BATCH, ["site"]), final=True)
        costly(pg, HOT | STEERING)
        for slug in pg.flows:
            pg.call("cancel_flow_runs", slug)
        pg.call("prune_data_older_than", "0")


@pytest.mark.parametrize(
    "scale",
    [
        pytest.param(None, marks=pytest.mark.slow, id="empty tables"),
        pytest.param(0.0, marks=pytest.mark.slow, id="empty tables with statistics"),
        pytest.param(0.001, id="small tables with statistics"),
    ],
)
def test_plans_that_are_kept_hold_when_tables_have_grown(
    flows: Engine, db: str, scale: float | None
):
    keep_unanalyzed(flows.conn)
    if scale is not None:
        if scale:
            fill(flows.conn, scale)
        flows.conn.execute("vacuum analyze")
    with psycopg.connect(db, autocommit=True) as conn:
        session = Engine(conn)
        use(session)
        fill(flows.conn)
        assert costly(session, HOT | STEERING) == {}


@pytest.mark.parametrize("analyzed", [False, True])
def test_no_hot_call_scans_a_small_table(flows: Engine, analyzed: bool):
    keep_unanalyzed(flows.conn)
    fill(flows.conn, 0.001)
    if analyzed:
        flows.conn.execute("vacuum analyze")
    assert costly(flows, HOT) == {}
