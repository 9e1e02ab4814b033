"""Lists of runs: which, in what order, and how little is read for them however many there are."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from core_sql_support import Engine, step
from psycopg.types.json import Jsonb

MANY = 25_000
# One call looks at so many runs at most, and finds out once more how far that was.
MOST_READ = 2 * 10_000 + 10


def listed(pg: Engine, **wanted: Any) -> tuple[list[dict[str, Any]], UUID | None]:
    page = pg.call("list_runs", **wanted)
    return page["runs"], None if page["next"] is None else UUID(page["next"])


def ids(pg: Engine, **wanted: Any) -> list[UUID]:
    return [UUID(run["run_id"]) for run in listed(pg, **wanted)[0]]


def test_runs_come_newest_first_and_a_page_at_a_time(pg: Engine):
    pg.flow("site", {"a": step()})
    started = [pg.start("site") for _ in range(7)]
    newest_first = sorted(started, reverse=True)
    runs, then = listed(pg, quantity=3)
    assert [UUID(run["run_id"]) for run in runs] == newest_first[:3]
    assert then == newest_first[2]
    assert ids(pg, quantity=3, before=then) == newest_first[3:6]
    assert listed(pg, quantity=3, before=newest_first[5])[1] is None


def test_a_run_is_told_without_its_values(pg: Engine):
    pg.flow("site", {"a": step()})
    run_id = pg.start("site", {"large": "x" * 1000}, priority=3, tags=Jsonb({"tenant": 7}))
    pg.fail(pg.claim_one(), message="too " + "hot" * 1000, final=True)
    [run], _ = listed(pg)
    assert datetime.fromisoformat(run.pop("started_at")) <= datetime.now(UTC)
    assert datetime.fromisoformat(run.pop("ended_at")) <= datetime.now(UTC)
    assert len(run.pop("error_message")) == 500
    assert run == {
        "run_id": str(run_id),
        "flow_slug": "site",
        "status": "failed",
        "priority": 3,
        "tags": {"tenant": 7},
        "delayed_until": None,
        "failed_step_slug": "a",
    }


def test_runs_are_picked_by_flow_status_and_tags(pg: Engine):
    for slug in ("site", "shop"):
        pg.flow(slug, {"a": step()})
    done = pg.start("site", tags=Jsonb({"tenant": 7, "kind": "x"}))
    pg.drain()
    failed = pg.start("site", tags=Jsonb({"tenant": 8}))
    pg.fail(pg.claim_one(), final=True)
    cancelled = pg.start("shop", tags=Jsonb({"tenant": 7}))
    pg.conn.execute("select pgflow.cancel_run(%s)", (cancelled,))
    live = pg.start("shop")
    assert ids(pg) == [live, cancelled, failed, done]
    assert ids(pg, flow_slug="site") == [failed, done]
    assert ids(pg, status="started") == [live]
    assert ids(pg, status="completed") == [done]
    assert ids(pg, status="failed") == [failed]
    assert ids(pg, status="cancelled") == [cancelled]
    assert ids(pg, status="failed", flow_slug="shop") == []
    assert ids(pg, tags={"tenant": 7}) == [cancelled, done]
    assert ids(pg, tags={"tenant": 7}, flow_slug="site") == [done]
    assert ids(pg, tags={"tenant": 7, "kind": "x"}, status="completed") == [done]
    assert ids(pg, tags={}) == [live, cancelled, failed, done]


def test_runs_are_picked_by_the_time_of_their_start(pg: Engine):
    pg.flow("site", {"a": step()})
    now = datetime.now(UTC)
    run_id = pg.start("site")
    minute = timedelta(minutes=1)
    assert ids(pg, since=now - minute, until=now + minute) == [run_id]
    assert ids(pg, since=now + minute) == ids(pg, until=now - minute) == []


@pytest.fixture
def many(conn: psycopg.Connection[Any]) -> Engine:
    """Rows of many runs of two flows, of which hardly any failed and none is under way."""
    conn.execute(
        """
        insert into pgflow.runs (
          run_id, flow_slug, status, input, output, remaining_steps, tags, completed_at, failed_at
        )
        select
          pgflow.run_id_at('2026-01-01'::timestamptz + each.number * interval '1 s'),
          case when each.number %% 5000 = 0 then 'rare' else 'often' end,
          case when each.fails then 'failed' else 'completed' end, '{}',
          case when not each.fails then '{}'::jsonb end, 0,
          case
            when each.number %% 10000 = 1 then '{"few": 1}'
            when each.number %% 3 = 0 then '{"many": 1}'
            else '{}'
          end::jsonb,
          case when not each.fails then now() end, case when each.fails then now() end
        from (
          select number, number %% 10000 = 3 as fails from generate_series(1, %s) as series (number)
        ) as each
        """,
        (MANY,),
    )
    return Engine(conn)


@pytest.mark.parametrize("is_analyzed", [False, True], ids=["never analyzed", "analyzed"])
def test_a_page_costs_no_more_than_its_length_or_a_bounded_look(many: Engine, is_analyzed: bool):
    pg = many
    if is_analyzed:
        pg.conn.execute("analyze pgflow.runs")
    pages = {
        "all": ({}, 50, 100),
        "of a flow": ({"flow_slug": "rare"}, 5, 20),
        "failed": ({"status": "failed"}, 3, 20),
        "few tags": ({"tags": {"few": 1}}, 3, 20),
        "many tags": ({"tags": {"many": 1}}, 50, 5_500),
        "none": ({"status": "started"}, 0, MOST_READ),
    }
    for name, (wanted, found, most) in pages.items():
        with pg.conn.transaction():
            before = rows_read(pg.conn)
            runs, _ = listed(pg, quantity=50, **wanted)
            read = rows_read(pg.conn) - before
        assert len(runs) == found, name
        assert read <= most, name


def test_what_is_rare_is_found_over_several_pages(many: Engine):
    wanted = {"status": "completed", "tags": {"many": 1}, "flow_slug": "rare"}
    found, then, calls = 0, None, 0
    while calls == 0 or then is not None:
        runs, then = listed(many, quantity=50, before=then, **wanted)
        found += len(runs)
        calls += 1
    assert found == len([number for number in range(5000, MANY + 1, 5000) if number % 3 == 0])
    live, then = listed(many, status="started")
    assert live == []
    assert then is not None


def rows_read(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute(
        "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables"
        " where relid = 'pgflow.runs'::regclass"
    ).fetchone()
    assert row is not None
    return int(row[0])
