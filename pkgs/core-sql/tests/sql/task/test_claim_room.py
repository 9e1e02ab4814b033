"""Claims that may take only so many tasks of a flow or of a step."""

from collections import Counter
from typing import Any

import pytest
from core_sql_support import Engine, Task, mapping, step
from psycopg.types.json import Jsonb


def claim(pg: Engine, quantity: int, **room: int) -> list[Task]:
    """Claim with room for flows, and for steps as flow__step."""
    given = {queue.replace("__", "."): tasks for queue, tasks in room.items()}
    columns = "flow_slug, run_id, step_slug, task_index, attempts_count, input, flow_input"
    rows = pg.rows(
        f"select {columns} from pgflow.claim_tasks(%s::text[], %s, %s, room => %s)",
        pg.flows,
        quantity,
        pg.worker_id,
        Jsonb(given),
    )
    return [Task(*row) for row in rows]


def steps_of(tasks: list[Task]) -> Counter[str]:
    return Counter(task.step for task in tasks)


@pytest.fixture
def site(pg: Engine) -> Engine:
    pg.flow("site", {"few": step(), "many": step()})
    return pg


def apart(pg: Engine, *steps: str) -> int:
    moved: int = pg.call("claim_apart", ["site"] * len(steps), list(steps))
    return moved


def test_a_step_is_claimed_no_more_often_than_there_is_room_for_it(site: Engine):
    apart(site, "few")
    site.start_many("site", range(20))
    assert steps_of(claim(site, 15, site__few=2)) == {"few": 2, "many": 13}
    assert steps_of(claim(site, 100, site__few=0)) == {"many": 7}
    assert claim(site, 100, site__few=0) == []
    assert steps_of(claim(site, 100, site__few=3)) == {"few": 3}
    assert steps_of(site.claim()) == {"few": 15}


def test_a_step_that_is_claimed_apart_has_its_share_where_nothing_limits_it(site: Engine):
    apart(site, "few")
    site.start_many("site", range(20))
    assert steps_of(site.claim(10)) == {"few": 5, "many": 5}
    assert steps_of(site.claim()) == {"few": 15, "many": 15}


def test_a_flow_is_claimed_no_more_often_than_there_is_room_for_it(site: Engine):
    site.flow("other", {"a": step()})
    apart(site, "few")
    site.start_many("site", range(10))
    site.start_many("other", range(10))
    claimed = claim(site, 15, site=3, site__few=2)
    assert Counter(task.flow for task in claimed) == {"site": 3, "other": 10}
    assert steps_of(claimed)["few"] <= 2
    assert claim(site, 15, site=0) == []


def test_tasks_in_the_queue_move_when_their_step_is_claimed_apart(site: Engine):
    site.start_many("site", range(5))
    assert apart(site, "few", "ghost") == 5
    assert apart(site, "few") == 0
    assert steps_of(claim(site, 100, site__few=1)) == {"few": 1, "many": 5}


def test_delayed_and_retried_tasks_stay_apart(pg: Engine):
    pg.flow("site", {"few": step(start_delay=60, base_delay=0), "many": step()})
    pg.start_many("site", range(3))
    assert apart(pg, "few") == 3
    pg.come_due()
    assert steps_of(claim(pg, 100, site__few=0)) == {"many": 3}
    pg.fail(*claim(pg, 100, site__few=2))
    assert claim(pg, 100, site__few=0) == []
    assert steps_of(pg.claim()) == {"few": 3}


def test_elements_of_a_map_are_claimed_apart_and_in_their_order(pg: Engine):
    pg.flow("site", {"few": mapping()})
    apart(pg, "few")
    pg.start("site", list(range(10)))
    assert [task.index for task in claim(pg, 100, site__few=4)] == [0, 1, 2, 3]


def test_a_task_that_is_handed_back_goes_to_the_queue_of_its_step(site: Engine):
    site.start("site")
    few = next(task for task in site.claim() if task.step == "few")
    assert apart(site, "few") == 0
    site.release(few)
    assert claim(site, 100, site__few=0) == []
    assert site.claim_one("few").attempt == 2


def test_a_fused_call_heeds_the_room_too(site: Engine):
    apart(site, "few")
    site.start_many("site", range(3))
    rows = site.rows(
        "select step_slug from pgflow.report_and_claim(%s, %s::text[], 100, room => %s)",
        site.worker_id,
        site.flows,
        Jsonb({"site.few": 1}),
    )
    assert Counter(slug for [slug] in rows) == {"few": 1, "many": 3}


def test_work_that_is_claimed_apart_wakes_workers_and_is_counted(site: Engine):
    apart(site, "few")
    site.start_many("site", range(2))
    claim(site, 100, site__few=0)
    assert site.call("_flows_with_work", ["site"]) == ["site"]
    depth: Any = site.row("select ready_tasks, oldest_ready is not null from pgflow.queue_depth")
    assert depth == (2, True)
