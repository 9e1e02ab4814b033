"""Finding runs and flows again."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from pgflow_client import AsyncClient, Client, FlowNotFound, StartOptionInvalid
from pgflow_dsl import Flow
from psycopg.types.json import Jsonb

HOUR = timedelta(hours=1)


async def found(runs):
    return [run.run_id async for run in runs]


async def test_runs_are_listed_newest_first_over_any_number_of_pages(db, hand, greet):
    async with AsyncClient(db) as client:
        runs = await client.start_flows(greet, [str(n) for n in range(25)], tags={"tenant": 7})
        newest_first = sorted((run.run_id for run in runs), reverse=True)
        assert await found(client.list_runs(page=4)) == newest_first
        assert await found(client.list_runs(page=5)) == newest_first
        assert await found(client.list_runs(before=newest_first[9])) == newest_first[10:]
        first = await anext(client.list_runs())
        assert (first.flow_slug, first.status, first.tags) == ("greet", "started", {"tenant": 7})
        assert first.started_at.tzinfo is not None
        assert first.ended_at is None


async def test_runs_are_picked_by_all_that_is_known_of_them(db, hand, greet):
    other = Flow("other")
    hand.serve(other)
    async with AsyncClient(db) as client:
        one = await client.start_flow(greet, "a", tags={"tenant": 7, "kind": "x"})
        two = await client.start_flow(greet, "b", tags={"tenant": 8}, delay=HOUR)
        three = await client.start_flow(other)
        hand.fail(one.run_id, "hello")
        now = datetime.now(UTC)
        one, two, three = (run.run_id for run in (one, two, three))
        assert await found(client.list_runs(greet)) == [two, one]
        assert await found(client.list_runs("other")) == [three]
        assert await found(client.list_runs(status="failed")) == [one]
        assert await found(client.list_runs(greet, status="completed")) == []
        assert await found(client.list_runs(tags={"tenant": 7})) == [one]
        assert await found(client.list_runs(since=now - HOUR, until=now + HOUR)) == [
            *(three, two, one)
        ]
        assert await found(client.list_runs(since=now + HOUR)) == []
        (failed,) = [run async for run in client.list_runs(status="failed")]
        assert (failed.failed_step_slug, failed.error_message) == ("hello", "boom")
        assert (await client.get_run(failed.run_id)).status == "failed"


@pytest.mark.parametrize(
    ("wanted", "error", "message"),
    [
        (
            {"status": "complete"},
            ValueError,
            "a run is one of started, completed, failed, cancelled",
        ),
        ({"status": ["failed"]}, ValueError, r"the status of a run is .*, not \["),
        ({"page": 0}, ValueError, "a page has 1 to 1000 runs, not 0"),
        ({"since": datetime(2026, 1, 1)}, ValueError, "since needs a time zone"),
        ({"until": 5}, TypeError, "until is a datetime, not 5"),
        ({"tags": {"a": object}}, StartOptionInvalid, "tags are invalid"),
        ({"tags": "red"}, StartOptionInvalid, "tags are a mapping"),
        ({"flow": 5}, TypeError, "a flow is a Flow or the slug"),
    ],
)
async def test_what_cannot_be_looked_for_is_refused_by_name(db, wanted, error, message):
    async with AsyncClient(db) as client:
        with pytest.raises(error, match=message):
            await found(client.list_runs(**wanted))


async def test_a_flow_is_told_as_the_database_has_it(db, hand):
    flow = Flow("pages", input=list[str], max_attempts=4)

    @flow.map(over=flow.input, timeout=timedelta(seconds=7))
    def fetch(url: str) -> int: ...

    @flow.step(when={fetch: [1]}, when_exhausted="skip")
    def publish(sizes: list[int] = fetch.output) -> int: ...

    hand.serve(flow, Flow("empty"))
    async with AsyncClient(db) as client:
        told = await client.get_flow("pages")
        assert (told.flow_slug, told.options.max_attempts) == ("pages", 4)
        assert told.input_schema == flow.input_schema
        one, two = told.steps
        assert (one.step_slug, one.kind, one.map_over, one.options.timeout) == (
            *("fetch", "map", "run", 7),
        )
        assert (two.dependencies, two.when_exhausted) == (("fetch",), "skip")
        assert two.output_schema == {"type": "integer"}
        assert await client.get_flow(flow) == told
        assert await client.list_flows() == [await client.get_flow("empty"), told]
        with pytest.raises(FlowNotFound, match="flow later does not exist: compile") as caught:
            await client.get_flow("later")
        assert caught.value.flow_slug == "later"


async def test_a_flow_is_told_in_the_version_that_is_named(db, hand):
    old, new = Flow("pages", input=str), Flow("pages", input=str)

    @old.step
    def fetch(url: str = old.input) -> int: ...

    @new.step
    def read(url: str = new.input) -> int: ...

    hand.serve(old)
    hand.conn.execute(
        "select pgflow.ensure_flow_compiled('pages', %s, make_version => true)",
        (Jsonb(new.shape()),),
    )
    async with AsyncClient(db) as client:
        for slug, version in (("pages", "pages@2"), ("pages@2", "pages@2"), ("pages@1", "pages")):
            assert (await client.get_flow(slug)).flow_slug == version
        for slug in ("pages@3", "page@1", "pages@2@1"):
            with pytest.raises(FlowNotFound):
                await client.get_flow(slug)


def test_a_user_of_the_clients_role_may_do_all_that_a_client_does(db, conn, greet):
    conn.execute("drop role if exists plain_client")
    conn.execute("create role plain_client login")
    conn.execute("grant pgflow_client to plain_client")
    try:
        with Client(psycopg.conninfo.make_conninfo(db, user="plain_client")) as client:
            run = client.start_flow(greet, "you", idempotency_key="x", tags={"a": 1}, delay=HOUR)
            assert [each.run_id for each in client.list_runs(tags={"a": 1})] == [run.run_id]
            assert [each.flow_slug for each in client.list_flows()] == ["greet"]
            with pytest.raises(TimeoutError):
                run.wait(timedelta(milliseconds=50))
            run.cancel()
            run.retry()
            run.restart_from("hello")
            assert run.step("hello").progress().status == "started"
            run.cancel()
            assert [type(event).__name__ for event in run.events()][-1] == "RunEnded"
    finally:
        conn.execute("drop role plain_client")
