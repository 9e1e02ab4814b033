"""What people are shown of a database: bounded, of one moment, and changing nothing."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from pgflow_client import inspection
from pgflow_client._functions.call import Call
from pgflow_client._functions.listing import PageOfRuns
from pgflow_client.inspection import Inspector, RunFilter
from pgflow_dsl import Flow
from psycopg.types.json import Jsonb

from .conftest import Hand

ALL = RunFilter()
DAY = timedelta(days=1)


@pytest.fixture
def fan(hand: Hand) -> Flow[list[int]]:
    """A map, and a step that runs only for large input and may be skipped."""
    flow = Flow("fan", input=list[int], max_attempts=2, base_delay=timedelta(0))

    @flow.map(over=flow.input)
    def double(number: int) -> int:
        return 2 * number

    @flow.step(when={double: []}, when_unmet="skip", when_exhausted="skip", after=[double])
    def boast(numbers: list[int] = flow.input) -> str:
        return "many"

    hand.serve(flow)
    return flow


def start(hand: Hand, slug: str, value: Any = 1, **tags: Any) -> UUID:
    sql = "select run_id from pgflow.start_flow(%s, %s, tags => %s)"
    return hand.conn.execute(sql, (slug, Jsonb(value), Jsonb(tags))).fetchall()[0][0]


async def found(inspector: Inspector, wanted: RunFilter = ALL, **more: Any) -> list[UUID]:
    return [run.run_id for run in (await inspector.find_runs(wanted, **more)).runs]


async def test_runs_are_found_newest_first_page_by_page(db: str, hand: Hand, greet: Any):
    # Those of one millisecond have no order that anybody knows.
    started = sorted((start(hand, "greet") for _ in range(7)), reverse=True)
    async with Inspector(db) as inspector:
        first = await inspector.find_runs(ALL, page=3)
        second = await inspector.find_runs(ALL, page=3, before=first.next)
        third = await inspector.find_runs(ALL, page=3, before=second.next)
    pages = [run.run_id for page in (first, second, third) for run in page.runs]
    assert pages == started
    assert third.next is None


async def test_runs_are_found_by_flow_status_tags_and_time(db: str, hand: Hand, greet: Any):
    other = Flow("other", input=int)
    other.step(slug="only")(_only(other))
    hand.serve(other)
    runs = {name: start(hand, "greet", "x", team=name) for name in ("red", "blue")}
    elsewhere = start(hand, "other")
    hand.complete(runs["red"], "hello", "hi")
    now = datetime.now(UTC)

    async with Inspector(db) as inspector:
        of_flow = RunFilter(flow_slug="greet", status=None, tags={})
        assert await found(inspector, of_flow) == sorted(runs.values(), reverse=True)
        completed = RunFilter(flow_slug=None, status="completed", tags={})
        assert await found(inspector, completed) == [runs["red"]]
        blue = RunFilter(flow_slug=None, status=None, tags={"team": "blue"})
        assert await found(inspector, blue) == [runs["blue"]]
        assert await found(inspector, since=now + DAY) == []
        assert await found(inspector, until=now - DAY) == []
        assert elsewhere in await found(inspector, since=now - DAY, until=now + DAY)


def _only(flow: Flow[int]) -> Any:
    def only(number: int = flow.input) -> int:
        return number

    return only


async def test_a_search_that_finds_too_little_says_where_to_go_on(
    db: str, hand: Hand, greet: Any, monkeypatch: pytest.MonkeyPatch
):
    asked: list[UUID | None] = []

    def list_none(**named: Any) -> Any:
        asked.append(named["before"])
        place = UUID(int=10 - len(asked))
        return Call(sql="select 1", arguments={}, read=lambda rows: PageOfRuns([], place))

    monkeypatch.setattr(inspection, "list_runs", list_none)
    monkeypatch.setattr(inspection, "_LOOKS", 3)
    async with Inspector(db) as inspector:
        page = await inspector.find_runs(RunFilter(status="failed"))

    assert asked == [None, UUID(int=9), UUID(int=8)]
    assert (page.runs, page.next) == ((), UUID(int=7))


async def test_statistics_count_the_runs_of_each_flow(db: str, hand: Hand, greet: Any, fan: Any):
    done, failed, live = (start(hand, "greet", "x") for _ in range(3))
    hand.complete(done, "hello")
    hand.fail(failed, "hello")
    assert live

    async with Inspector(db) as inspector:
        of_fan, of_greet = await inspector.flow_statistics(DAY)
        (only,) = await inspector.flow_statistics(DAY, flow_slug="greet")
        after = await inspector.flow_statistics(DAY, after="fan")

    assert (of_fan.flow_slug, of_fan.started, of_fan.p50_seconds) == ("fan", 0, None)
    assert (of_greet.started, of_greet.completed, of_greet.failed) == (1, 1, 1)
    assert of_greet.p50_seconds is not None
    assert (sum(of_greet.started_parts), sum(of_greet.failed_parts)) == (3, 1)
    assert len(of_greet.started_parts) == inspection.PARTS
    assert not of_greet.is_cut
    assert only.flow_slug == "greet"
    assert [each.flow_slug for each in after] == ["greet"]


async def test_statistics_of_a_busy_flow_are_made_of_its_newest_runs(
    db: str, hand: Hand, greet: Any, monkeypatch: pytest.MonkeyPatch
):
    start(hand, "greet", "x")
    hand.conn.execute("update pgflow.runs set started_at = now() - interval '1 hour'")
    for _ in range(3):
        start(hand, "greet", "x")
    monkeypatch.setattr(inspection, "_SAMPLE", 3)
    async with Inspector(db) as inspector:
        (busy,) = await inspector.flow_statistics(DAY)
    assert busy.is_cut
    assert busy.started == 3
    assert datetime.now(UTC) - busy.since < timedelta(minutes=30)


async def test_the_name_of_a_flow_stands_for_its_versions_and_for_what_new_runs_take(
    db: str, hand: Hand, greet: Any
):
    hand.complete(start(hand, "greet", "x"), "hello")
    again = Jsonb({"steps": [{"slug": "bow"}]})
    hand.conn.execute("select pgflow.ensure_flow_compiled('greet', %s, false, true)", (again,))
    start(hand, "greet", "x")
    async with Inspector(db) as inspector:
        (of_all,) = await inspector.flow_statistics(DAY)
        (of_second,) = await inspector.flow_statistics(DAY, flow_slug="greet@2")
        first = await inspector.definition("greet")
        current = await inspector.definition("greet", is_current=True)
    assert (of_all.flow_slug, of_all.started, of_all.completed) == ("greet", 1, 1)
    assert (of_second.flow_slug, of_second.started, of_second.completed) == ("greet@2", 1, 0)
    assert first is not None
    assert current is not None
    assert (first.flow_slug, current.flow_slug) == ("greet", "greet@2")


async def test_a_definition_tells_maps_conditions_and_options(db: str, fan: Any):
    async with Inspector(db) as inspector:
        definition = await inspector.definition("fan")
        assert await inspector.definition("nothing") is None
    assert definition is not None
    double, boast = definition.steps
    assert (double.kind, double.map_over) == ("map", "run")
    assert definition.options.max_attempts == boast.options.max_attempts == 2
    assert boast.condition is not None
    assert boast.condition.when_unmet == "skip"
    assert boast.when_exhausted == "skip"
    assert boast.dependencies == ("double",)
    assert boast.takes_flow_input
    assert definition.input_schema["type"] == "array"


async def test_details_of_a_run_hold_its_tasks_failures_and_sizes(db: str, hand: Hand, fan: Any):
    run_id = start(hand, "fan", [1, 2])
    hand.fail(run_id, "double", 1, is_final=False)
    hand.complete(run_id, "double", 2, index=0)

    async with Inspector(db) as inspector:
        details = await inspector.run_details(run_id)
        assert await inspector.run_details(uuid4()) is None

    assert details is not None
    assert details.summary.status == "started"
    done, retried = details.tasks
    assert (done.status, done.attempts) == ("completed", 1)
    assert done.ended_at is not None
    assert retried.error_message == "boom"
    (failure,) = details.failures
    assert (failure.task_index, failure.attempt, failure.error_message) == (1, 1, "boom")
    assert details.sizes.input > 0
    assert details.sizes.output is None


async def test_tasks_of_a_map_are_read_page_by_page_and_by_status(db: str, hand: Hand, fan: Any):
    run_id = start(hand, "fan", [1, 2, 3, 4])
    hand.complete(run_id, "double", 2, index=2)
    async with Inspector(db) as inspector:
        first = await inspector.tasks(run_id, "double", page=2)
        rest = await inspector.tasks(run_id, "double", page=9, after=first[-1].task_index)
        completed = await inspector.tasks(run_id, "double", status="completed")
    assert [task.task_index for task in (*first, *rest)] == [0, 1, 2, 3]
    assert [task.task_index for task in completed] == [2]


async def test_values_are_read_up_to_a_size_and_only_measured_above(db: str, hand: Hand, fan: Any):
    run_id = start(hand, "fan", [7])
    hand.complete(run_id, "double", {"text": "x" * 3000})
    async with Inspector(db) as inspector:
        given = await inspector.value("run_input", run_id, most=1000)
        element = await inspector.value("task_input", run_id, step_slug="double", most=1000)
        large = await inspector.value("task_output", run_id, step_slug="double", most=10)
        whole = await inspector.value("step_output", run_id, step_slug="double", most=10_000)
        none = await inspector.value("run_output", uuid4(), most=10)
    assert given is not None
    assert given.text == "[7]"
    assert element is not None
    assert element.text == "7"
    assert large is not None
    assert large.size is not None
    assert large.text is None
    assert whole is not None
    assert "xxx" in (whole.text or "")
    assert none is None


async def test_workers_are_shown_with_what_they_hold(db: str, hand: Hand, greet: Any):
    run_id = start(hand, "greet", "x")
    start(hand, "greet", "y")
    hand.call("claim_tasks", ["greet"], 1, hand.worker_id)
    async with Inspector(db) as inspector:
        ((worker, load),) = await inspector.workers()
        (depth,) = await inspector.queue_depths()
    assert worker.state == "alive"
    assert load is not None
    assert load.count == 1
    assert load.tasks[0].run_id == run_id
    assert (depth.ready, depth.delayed, depth.held) == (1, 0, 1)


async def test_health_names_tables_indexes_and_transactions_that_hold_back(
    db: str, hand: Hand, greet: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(inspection, "_OLD", timedelta(0))
    with psycopg.connect(db, application_name="forgotten") as idle:
        idle.execute("select count(*) from pgflow.runs")
        idle.execute("create temporary table mine ()")
        async with Inspector(db) as inspector:
            health = await inspector.health()
    assert {"runs", "step_states", "step_tasks"} <= {table.name for table in health.tables}
    assert all(index.needed > 0 and index.is_valid for index in health.indexes)
    assert "step_tasks_claim_idx" in {index.name for index in health.indexes}
    (old,) = health.old_transactions
    assert (old.application, old.holds_back) == ("forgotten", True)
    assert 0 <= health.server.notification_queue <= 1
    assert health.server.connections <= health.server.max_connections


async def test_a_look_that_takes_too_long_is_given_up(db: str, hand: Hand, greet: Any):
    with psycopg.connect(db) as blocker:
        blocker.execute("lock table pgflow.workers in access exclusive mode")
        async with Inspector(db, patience=timedelta(milliseconds=50)) as inspector:
            with pytest.raises(psycopg.errors.QueryCanceled):
                await inspector.workers()


async def test_a_reader_sees_all_of_it(db: str, hand: Hand, fan: Any):
    run_id = start(hand, "fan", [1])
    hand.conn.execute(f"create role {(role := f'r{uuid4().hex[:8]}')} login in role pgflow_reader")
    try:
        url = db.replace("postgresql://postgres@", f"postgresql://{role}@")
        assert role in url
        async with Inspector(url) as inspector:
            counted = (await inspector.health()).server.connections
            query = "select count(*) from pg_stat_activity where usename = %s"
            (own,) = hand.conn.execute(query, (role,)).fetchone()
            # Those of others, too, of which it is not told what they are.
            assert counted > own
            assert await inspector.run_details(run_id) is not None
            await asyncio.gather(
                inspector.flow_statistics(DAY),
                inspector.definition("fan"),
                inspector.find_runs(ALL, since=datetime.now(UTC) - DAY),
                inspector.tasks(run_id, "double"),
                inspector.value("run_input", run_id, most=10),
                inspector.queue_depths(),
                inspector.workers(),
                inspector.health(),
            )
    finally:
        hand.conn.execute(f"drop role {role}")
