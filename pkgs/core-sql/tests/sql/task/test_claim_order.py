"""Which tasks a claim takes: order, priority, fairness, delays, quantity, and by whom."""

from uuid import uuid4

import psycopg
import pytest
from core_sql_support import Engine, counted, mapping, step


def test_runs_are_claimed_in_the_order_they_were_started(pg: Engine):
    pg.flow("site", {"a": step()})
    ids = [pg.start("site") for _ in range(5)]
    assert [pg.claim(1)[0].run_id for _ in ids] == ids


def test_a_higher_priority_is_claimed_first(pg: Engine):
    pg.flow("site", {"a": step(), "b": step("a")})
    low, usual, high = (pg.start("site", priority=priority) for priority in (-1, 0, 1))
    claimed = [pg.claim(1)[0] for _ in range(3)]
    assert [task.run_id for task in claimed] == [high, usual, low]
    pg.complete(*[(task, 1) for task in claimed])
    assert [pg.claim(1)[0].run_id for _ in range(3)] == [high, usual, low]


def test_the_tail_of_a_large_map_is_overtaken_by_runs_that_start_later(pg: Engine):
    pg.flow("maps", {"m": mapping()})
    large = pg.start("maps", list(range(1000)))
    small = pg.start("maps", [1])
    first = pg.claim(20)
    assert small in {task.run_id for task in first}
    assert large in {task.run_id for task in first}
    assert sorted(task.index for task in first if task.run_id == large) == list(range(19))


def test_a_claim_takes_no_more_than_it_asks_for_and_no_task_twice(pg: Engine):
    pg.flow("maps", {"m": mapping()})
    pg.start("maps", list(range(10)))
    claims = [pg.claim(4) for _ in range(4)]
    assert [len(claim) for claim in claims] == [4, 4, 2, 0]
    assert sorted(task.index for claim in claims for task in claim) == list(range(10))


@pytest.mark.parametrize("quantity", [0, -1, None])
def test_a_claim_of_nothing_takes_nothing(pg: Engine, quantity: int | None):
    pg.flow("site", {"a": step()})
    pg.start("site")
    assert pg.claim(quantity) == []


def test_only_flows_that_are_asked_for_are_claimed(pg: Engine):
    for slug in ("one", "two"):
        pg.flow(slug, {"a": step()})
        pg.start(slug)
    assert pg.claim(flows=[]) == []
    assert pg.claim(flows=["ghost"]) == []
    assert [task.flow for task in pg.claim(flows=["two", "ghost"])] == ["two"]


def test_flows_with_work_share_a_claim(pg: Engine):
    for slug in ("busy", "calm", "idle"):
        pg.flow(slug, {"a": step()})
    pg.start_many("busy", range(100))
    pg.start_many("calm", range(100))
    claimed = [task.flow for task in pg.claim(10)]
    assert (claimed.count("busy"), claimed.count("calm")) == (5, 5)


def test_what_a_flow_leaves_of_its_share_goes_to_others(pg: Engine):
    for slug in ("busy", "calm"):
        pg.flow(slug, {"a": step()})
    pg.start_many("busy", range(100))
    pg.start_many("calm", range(2))
    claimed = [task.flow for task in pg.claim(10)]
    assert (claimed.count("busy"), claimed.count("calm")) == (8, 2)


def test_a_claim_gets_all_it_asks_for_however_few_flows_have_it(pg: Engine):
    slugs = [pg.flow(f"flow{n}", {"a": step()}) for n in range(5)]
    for slug in slugs:
        pg.start_many(slug, range(100 if slug == "flow3" else 1))
    claimed = [task.flow for task in pg.claim(50)]
    assert [claimed.count(slug) for slug in slugs] == [1, 1, 1, 46, 1]


def test_many_flows_are_all_served_by_small_claims(pg: Engine):
    slugs = [pg.flow(f"flow{n}", {"a": step()}) for n in range(6)]
    for slug in slugs:
        pg.start_many(slug, range(3))
    claimed = [task.flow for _ in range(9) for task in pg.claim(2)]
    assert sorted(claimed) == sorted(slugs * 3)


def test_delayed_tasks_are_claimed_when_their_time_has_come(pg: Engine):
    pg.flow("site", {"now": step(), "later": step(start_delay=60)})
    pg.start("site")
    assert [task.step for task in pg.claim()] == ["now"]
    assert pg.claim() == []
    pg.come_due()
    assert [task.step for task in pg.claim()] == ["later"]


def test_a_delayed_task_takes_the_place_of_its_time(pg: Engine):
    pg.flow("site", {"a": step(start_delay=60)})
    pg.flow("other", {"a": step()})
    delayed = pg.start("site")
    pg.come_due()
    pg.flow("site", {"a": step()})
    prompt = pg.start("site")
    assert [task.run_id for task in pg.claim(1)] == [delayed]
    assert [task.run_id for task in pg.claim(1)] == [prompt]


def test_a_claim_says_who_and_when_and_raises_the_attempt(pg: Engine):
    pg.flow("site", {"a": step()}, base_delay=0)
    pg.start("site")
    task = pg.claim_one()
    assert task.attempt == 1
    assert pg.task(task, "status, last_worker_id, started_at is not null") == (
        "started",
        pg.worker_id,
        True,
    )
    pg.fail(task)
    assert pg.claim_one().attempt == 2


def test_a_worker_that_is_not_registered_cannot_claim(pg: Engine):
    pg.flow("site", {"a": step()})
    pg.start("site")
    stranger = uuid4()
    with pytest.raises(psycopg.errors.Error, match=f"worker {stranger} is not") as refused:
        pg.claim(worker_id=stranger)
    assert refused.value.sqlstate == "PF007"
    assert pg.claim_one("a").attempt == 1


def make_earlier(pg: Engine, seconds: int) -> None:
    """Let what is queued have become ready some seconds earlier."""
    pg.conn.execute(
        "update pgflow.step_tasks set order_at = order_at - %s * interval '1 second'"
        " where order_at < 'infinity'",
        [seconds],
    )


def test_a_map_that_is_served_as_fast_as_one_element_a_second_holds_nobody_up(pg: Engine):
    pg.flow("maps", {"m": mapping()})
    large = pg.start("maps", list(range(1000)))
    pg.claim(60)
    make_earlier(pg, 60)
    small = pg.start("maps", [1])
    assert {task.run_id for task in pg.claim(2)} == {large, small}


def test_a_map_with_a_start_delay_is_overtaken_like_any_other(pg: Engine):
    pg.flow("maps", {"m": mapping(start_delay=60), "a": step()})
    pg.start("maps", list(range(100)))
    pg.claim()
    pg.come_due()
    pg.flow("maps", {"m": mapping(), "a": step()})
    small = pg.start("maps", [1])
    assert [task.run_id for task in pg.claim(5)].count(small) == 2


def test_a_map_that_is_resumed_counts_its_places_anew(pg: Engine):
    pg.flow("maps", {"m": mapping()})
    large = pg.start("maps", list(range(100)))
    tasks = sorted(pg.claim(), key=lambda task: task.index)
    pg.complete(*[(task, 1) for task in tasks[:90]])
    pg.rows("select * from pgflow.cancel_run(%s)", large)
    pg.rows("select * from pgflow.retry_run(%s)", large)
    small = pg.start("maps", [1])
    assert [(task.run_id, task.index) for task in pg.claim(2)] == [(large, 90), (small, 0)]


def test_an_element_that_is_tried_again_at_once_keeps_its_place(pg: Engine):
    pg.flow("maps", {"m": mapping()}, base_delay=0)
    pg.start("maps", list(range(100)))
    tasks = {task.index: task for task in pg.claim()}
    pg.fail(tasks[70])
    pg.release(tasks[30])
    small = pg.start("maps", [1])
    assert [pg.claim(1)[0].run_id for _ in range(3)].index(small) == 0
    assert pg.claim() == []


def test_delayed_tasks_of_a_flow_do_not_make_its_claims_slower(pg: Engine):
    pg.flow("site", {"a": step()})
    pg.start_many("site", range(2000), delay="1 hour")
    pg.start("site")
    with pg.conn.transaction(), counted(pg) as work:
        assert len(pg.claim(1)) == 1
    assert work.rows["step_tasks"] < 50
