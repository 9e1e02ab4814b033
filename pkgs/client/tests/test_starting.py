"""Starting runs."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from pgflow_client import (
    ArgumentInvalid,
    AsyncClient,
    FlowNotFound,
    InputRefused,
    KeyInvalid,
    RunExists,
    RunNotFound,
    StartOptionInvalid,
    WrongFlow,
)
from pgflow_client.versions import retire_flow_version, use_flow_version
from pgflow_dsl import Flow, InputInvalid
from psycopg.types.json import Jsonb

HOUR = timedelta(hours=1)


@dataclass
class Site:
    url: str
    depth: int = 1


@pytest.fixture
def crawl(hand):
    flow = Flow("crawl", input=Site)

    @flow.step
    def fetch(site: Site = flow.input) -> str: ...

    hand.serve(flow)
    return flow


async def test_a_typed_input_arrives_as_its_json(db, conn, crawl):
    async with AsyncClient(db) as client:
        run = await client.start_flow(crawl, Site("a.org"))
    assert conn.execute("select run_id, input, priority from pgflow.runs").fetchall() == [
        (run.run_id, {"url": "a.org", "depth": 1}, 0)
    ]
    assert (run.status, run.flow_slug, run.flow) == ("started", "crawl", crawl)


async def test_an_input_that_does_not_fit_is_refused_with_its_field_and_nothing_is_sent(
    hand, crawl
):
    async with AsyncClient("postgresql://nowhere.invalid/db") as client:
        with pytest.raises(
            InputInvalid, match=r"input of flow 'crawl' is invalid: depth: .*integer"
        ):
            await client.start_flow(crawl, {"url": "a.org", "depth": "deep"})


async def test_a_flow_is_started_by_its_slug_with_anything_that_has_a_json_form(db, conn, crawl):
    async with AsyncClient(db) as client:
        await client.start_flow("crawl", {"url": "b.org", "more": [1, None, 0.5]})
        await client.start_flow("crawl")
    rows = conn.execute("select input from pgflow.runs order by run_id").fetchall()
    assert rows == [({"url": "b.org", "more": [1, None, 0.5]},), (None,)]


@pytest.mark.parametrize(
    ("value", "field"),
    [({"a": [1, float("nan")]}, r"a\[1\]"), ({"a": "\0"}, "a"), ({"a": object()}, "")],
)
async def test_an_input_without_a_json_form_is_refused_by_its_field(db, hand, crawl, value, field):
    async with AsyncClient(db) as client:
        with pytest.raises(InputInvalid, match=rf"input of flow 'crawl' is invalid: {field}"):
            await client.start_flow("crawl", value)
    assert hand.runs() == 0


async def test_a_flow_that_the_database_does_not_have_is_named(db):
    async with AsyncClient(db) as client:
        with pytest.raises(FlowNotFound, match="flow missing does not exist: compile") as caught:
            await client.start_flow("missing", {})
    assert caught.value.flow_slug == "missing"
    assert caught.value.sqlstate == "PF001"


async def test_the_database_refuses_an_input_that_a_map_cannot_run_over(db, hand):
    flow = Flow("items", input=list[int])

    @flow.map(over=flow.input)
    def double(number: int) -> int: ...

    hand.serve(flow)
    async with AsyncClient(db) as client:
        with pytest.raises(InputRefused, match="double maps over it") as caught:
            await client.start_flows("items", [[1], {"no": "array"}])
    assert (caught.value.flow_slug, caught.value.input_index) == ("items", 1)
    assert hand.runs() == 0


async def test_a_given_run_id_starts_a_run_once(db, hand, crawl):
    run_id = uuid4()
    async with AsyncClient(db) as client:
        run = await client.start_flow(crawl, Site("a.org"), run_id=run_id)
        with pytest.raises(RunExists) as caught:
            await client.start_flow(crawl, Site("a.org"), run_id=run_id)
    assert run.run_id == run_id
    assert caught.value.run_ids == (run_id,)
    assert hand.runs() == 1


async def test_priority_reaches_the_run_and_must_be_one(db, conn, crawl):
    async with AsyncClient(db) as client:
        await client.start_flow(crawl, Site("a.org"), priority=7)
        with pytest.raises(ValueError, match="from -32768 to 32767, not 40000"):
            await client.start_flow(crawl, Site("a.org"), priority=40_000)
    assert conn.execute("select priority from pgflow.runs").fetchall() == [(7,)]


async def test_many_runs_start_in_the_order_of_their_inputs(db, conn, crawl):
    async with AsyncClient(db) as client:
        runs = await client.start_flows(crawl, (Site(f"{n}.org") for n in range(2100)), priority=2)
        assert await client.start_flows(crawl, []) == []
    rows = conn.execute("select run_id, input ->> 'url', priority from pgflow.runs").fetchall()
    assert {(run.run_id, f"{n}.org", 2) for n, run in enumerate(runs)} == set(rows)


async def test_of_many_runs_all_start_or_none(db, hand, crawl):
    taken = uuid4()
    async with AsyncClient(db) as client:
        await client.start_flow(crawl, Site("a.org"), run_id=taken)
        run_ids = [*(uuid4() for _ in range(1500)), taken]
        with pytest.raises(RunExists):
            await client.start_flows(crawl, [Site("b.org")] * 1501, run_ids=run_ids)
        with pytest.raises(ValueError, match="2 inputs need as many run_ids, not 1"):
            await client.start_flows(crawl, [Site("b.org")] * 2, run_ids=[uuid4()])
        assert hand.runs() == 1
        runs = await client.start_flows(crawl, [Site("b.org")] * 1500, run_ids=run_ids[:1500])
    assert [run.run_id for run in runs] == run_ids[:1500]


async def test_a_run_is_found_again_with_its_flow_or_without(db, crawl, greet):
    async with AsyncClient(db) as client, AsyncClient(db) as other:
        run = await client.start_flow(crawl, Site("a.org"))
        typed = await other.get_run(run.run_id, crawl)
        untyped = await other.get_run(str(run.run_id))
        assert (typed.flow, untyped.flow) == (crawl, None)
        assert typed.flow_slug == untyped.flow_slug == "crawl"
        with pytest.raises(WrongFlow, match="is one of flow 'crawl', but <flow 'greet'"):
            await other.get_run(run.run_id, greet)


async def test_a_run_of_any_version_is_one_of_its_flow(db, hand, greet):
    again = Jsonb({"steps": [{"slug": "hello"}, {"slug": "bow"}]})
    hand.conn.execute("select pgflow.ensure_flow_compiled('greet', %s, false, true)", (again,))
    async with AsyncClient(db) as client:
        run = await client.start_flow("greet@2", "ann")
        found = [await client.get_run(run.run_id, flow) for flow in (greet, "greet", "greet@2")]
        assert {each.flow_slug for each in (run, *found)} == {"greet"}
        with pytest.raises(WrongFlow):
            await client.get_run(run.run_id, "greet@1")
        [listed] = [each async for each in client.list_runs(greet)]
    assert (listed.run_id, listed.flow_slug) == (run.run_id, "greet@2")


async def test_a_run_that_does_not_exist_is_not_found(db):
    missing = UUID(int=7)
    async with AsyncClient(db) as client:
        with pytest.raises(RunNotFound, match=f"run {missing} does not exist") as caught:
            await client.get_run(missing)
        assert caught.value.run_id == missing
        with pytest.raises(RunNotFound, match="there is no run 'seven': a run's id is a UUID"):
            await client.get_run("seven")


async def test_a_key_starts_a_run_once_and_finds_it_again(db, hand, crawl):
    async with AsyncClient(db) as client:
        run = await client.start_flow(crawl, Site("a.org"), idempotency_key="order 7")
        again = await client.start_flow(crawl, Site("b.org"), idempotency_key="order 7")
        hand.complete(run.run_id, "fetch", "text")
        late = await client.start_flow("crawl", {}, idempotency_key="order 7")
        assert run.run_id == again.run_id == late.run_id
        assert (again.status, late.status) == ("started", "completed")
        brief = timedelta(microseconds=1)
        other = await client.start_flow(crawl, Site("a"), idempotency_key="x", key_lifetime=brief)
        third = await client.start_flow(crawl, Site("a"), idempotency_key="x", key_lifetime=HOUR)
        assert other.run_id != third.run_id
        with pytest.raises(KeyInvalid, match="1 to 500 characters, not 501"):
            await client.start_flow(crawl, Site("a"), idempotency_key="x" * 501)


async def test_each_of_many_runs_has_its_own_key_also_across_calls(db, hand, crawl):
    count = 2100
    keys = [f"key {number * 11 % count}" for number in range(count)]
    inputs = [Site(key) for key in keys]
    async with AsyncClient(db) as client:
        runs = await client.start_flows(crawl, inputs, idempotency_keys=keys)
        again = await client.start_flows(crawl, inputs[::-1], idempotency_keys=[*keys[:0:-1], None])
    assert [run.run_id for run in again[:-1]] == [run.run_id for run in runs[:0:-1]]
    assert again[-1].run_id != runs[0].run_id
    rows = hand.conn.execute("select run_id, input ->> 'url' from pgflow.runs").fetchall()
    found = dict(rows)
    assert len(found) == count + 1
    assert [found[run.run_id] for run in runs] == keys


async def test_tags_and_a_delay_reach_the_run(db, conn, crawl):
    tags = {"tenant": 7, "labels": ["a"], "since": {"year": 2026}}
    async with AsyncClient(db) as client:
        await client.start_flow(crawl, Site("a.org"), tags=tags, delay=HOUR)
        await client.start_flows("crawl", [{}, {}], tags=tags, delay=HOUR)
    rows = conn.execute("select tags, delayed_until - started_at from pgflow.runs").fetchall()
    assert rows == [(tags, HOUR)] * 3


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"tags": ["a"]}, StartOptionInvalid, r"tags are a mapping .*, not \['a'\]"),
        ({"tags": {"a": float("nan")}}, StartOptionInvalid, "tags are invalid: a: "),
        ({"tags": {"a": {"b": object()}}}, StartOptionInvalid, "tags are invalid: "),
        ({"delay": 5}, TypeError, r"delay is a timedelta, such as .*, not 5"),
        ({"delay": HOUR * 10**6}, StartOptionInvalid, "delay is at most a hundred years"),
        ({"key_lifetime": HOUR}, ValueError, "key_lifetime says how long an idempotency key"),
        ({"idempotency_key": "x", "key_lifetime": 5}, TypeError, "key_lifetime is a timedelta"),
    ],
)
async def test_options_that_cannot_be_are_refused_by_name(db, hand, crawl, options, error, message):
    async with AsyncClient(db) as client:
        with pytest.raises(error, match=message):
            await client.start_flow(crawl, Site("a.org"), **options)
    assert hand.runs() == 0


async def test_what_is_no_flow_is_refused_by_name(db, hand, crawl):
    async with AsyncClient(db) as client:
        with pytest.raises(TypeError, match="a flow is a Flow or the slug of one, not 5"):
            await client.start_flow(5, {})
        with pytest.raises(TypeError, match=r"not <single step 'fetch' .*start the step's flow"):
            await client.start_flow(crawl.steps[0], {})
        with pytest.raises(ValueError, match="2 inputs need as many idempotency_keys, not 1"):
            await client.start_flows(crawl, [Site("a"), Site("b")], idempotency_keys=["x"])
        run = await client.start_flow(crawl, Site("a.org"))
        with pytest.raises(TypeError, match="a flow is a Flow"):
            await client.get_run(run.run_id, 5)
        with pytest.raises(TypeError, match=r"timeout is a timedelta, such as .*, not 5"):
            await run.wait(5)


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"], ids=ascii)
async def test_a_text_that_no_database_takes_is_refused_and_nothing_is_started(
    db, hand, crawl, text
):
    async with AsyncClient(db) as client:
        with pytest.raises(ArgumentInvalid, match="no form in the database"):
            await client.start_flow("crawl", 1, idempotency_key=text)
        with pytest.raises(ArgumentInvalid):
            await client.start_flows("crawl", [1, 2], idempotency_keys=["fine", text])
        with pytest.raises(ArgumentInvalid):
            await client.start_flow(text, 1)
        with pytest.raises(ArgumentInvalid):
            await client.get_flow(text)
        for tags in ({text: 1}, {"name": text}, {"name": {"deep": [text]}}):
            with pytest.raises(StartOptionInvalid):
                await client.start_flow("crawl", 1, tags=tags)
        assert hand.runs() == 0
        # The connection is as good as before.
        run = await client.start_flow("crawl", 1, idempotency_key="fine")
        with pytest.raises(ArgumentInvalid):
            await run.cancel(text)
        with pytest.raises(ArgumentInvalid, match="out of range"):
            await run.restart_from("fetch", version=2**31)


@pytest.mark.parametrize("version", [2**31, 2**63, 2**64])
def test_a_version_beyond_all_numbers_is_refused(conn, crawl, version):
    with pytest.raises(ArgumentInvalid):
        use_flow_version(conn, "crawl", version)
    with pytest.raises(ArgumentInvalid):
        retire_flow_version(conn, "crawl", version)
