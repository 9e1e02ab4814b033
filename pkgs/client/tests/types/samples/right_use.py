"""Uses of the client that both checkers accept, with the types they must find."""

from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, assert_type
from uuid import UUID

import psycopg
from pgflow_client import (
    AsyncClient,
    AsyncRun,
    AsyncRunStep,
    Client,
    Event,
    FlowDefinition,
    MapProgressed,
    Run,
    RunEnded,
    RunProgress,
    RunStatus,
    RunStep,
    RunSummary,
    StepProgress,
    StepStatus,
    Subscription,
)
from pgflow_dsl import Flow, job
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool, ConnectionPool


@dataclass
class Site:
    url: str


@dataclass
class Page:
    title: str


flow = Flow("site", input=Site)
bare = Flow("bare")
union = Flow[int | None]("union", input=int | None)


@flow.step
async def fetch(site: Site = flow.input) -> Page:
    return Page(site.url)


@flow.step
def words(page: Page = fetch.output) -> list[str]:
    return [page.title]


@flow.map(over=words.output)
def score(word: str) -> float:
    return float(len(word))


@flow.step(when_exhausted="skip")
def summary(page: Page = fetch.output) -> str:
    return page.title


@job
async def send(count: int) -> str:
    return str(count)


@job
def tidy() -> int:
    return 0


async def on_asyncio(run_id: UUID, conn: psycopg.AsyncConnection[DictRow]) -> None:
    async with AsyncClient("postgresql:///app", prepare_threshold=None) as client:
        assert_type(client, AsyncClient)
        run = await client.start_flow(flow, Site("a.org"), priority=1, run_id=run_id)
        assert_type(run, AsyncRun[Site])
        assert_type(await client.start_flow(bare), AsyncRun[None])
        assert_type(await client.start_flow(bare, None), AsyncRun[None])
        assert_type(await client.start_flow(union, 5), AsyncRun[int | None])
        sent = await client.start_flow(send, 5, tags={"tenant": 7}, delay=timedelta(hours=1))
        assert_type(sent, AsyncRun[int, str])
        assert_type(await sent.result(), str)
        assert_type(await client.start_flow(tidy), AsyncRun[None, int])
        assert_type(await client.start_flows(send, [5]), list[AsyncRun[int, str]])
        assert_type(await client.send(send, 5, delay=timedelta(1)), AsyncRun[int, str])
        assert_type(await client.send(tidy, idempotency_key="x"), AsyncRun[None, int])
        assert_type(await client.send_many(send, [5], priority=2), list[AsyncRun[int, str]])
        assert_type(await client.get_run(run_id, send), AsyncRun[int, str])
        keyed = await client.start_flow("bare", idempotency_key="x", key_lifetime=timedelta(1))
        assert_type(keyed, AsyncRun[Any])
        assert_type(await client.start_flow("site", {"url": "a.org"}), AsyncRun[Any])
        assert_type(await client.start_flow("bare"), AsyncRun[Any])
        assert_type(await client.start_flows(flow, [Site("a.org")]), list[AsyncRun[Site]])
        assert_type(await client.start_flows("site", [{}]), list[AsyncRun[Any]])
        assert_type(await client.get_run(run_id, flow), AsyncRun[Site])
        assert_type(await client.get_run(str(run_id)), AsyncRun[Any])
        assert_type(await run.wait(timedelta(seconds=1)), RunProgress)
        assert_type(run.status, RunStatus)
        assert_type(run.flow, Flow[Site] | None)
        assert_type(await run.output_of(fetch), Page)
        assert_type(await run.output_of(words), list[str])
        assert_type(await run.output_of(score), list[float])
        assert_type(await run.output_of(summary), str | None)
        assert_type(await run.output_of(send.main), str)
        assert_type(await run.output_of("fetch"), Any)
        assert_type(await run.result(), Any)
        assert_type(await run.result_of(fetch, timedelta(minutes=1)), Page)
        assert_type(run.step(score), AsyncRunStep[list[float]])
        assert_type(await run.step(summary).output(), str | None)
        assert_type(await run.step("fetch").output(), Any)
        assert_type(await run.step(fetch).wait(), StepProgress)
        assert_type(run.step(fetch).status, StepStatus)
        assert_type(await run.cancel("enough"), AsyncRun[Site])
        assert_type(await run.retry(), AsyncRun[Site])
        assert_type(await run.restart_from(fetch), AsyncRun[Site])
        async with run.on_event(print, after=(await run.progress()).cursor) as subscription:
            assert_type(subscription.cursor, str | None)
        assert_type(await run.refresh(), AsyncRun[Site])
        assert_type((await run.progress()).steps, tuple[StepProgress, ...])
        assert_type(run.events(), AsyncGenerator[Event, None])
        assert_type(client.list_runs(flow, tags={"a": 1}), AsyncGenerator[RunSummary, None])
        assert_type(await client.get_flow("site"), FlowDefinition)
        assert_type(await client.list_flows(), list[FlowDefinition])
        async for event in run.events():
            match event:
                case MapProgressed(done=done, total=total):
                    assert_type(done / total, float)
                case RunEnded(error_message=message):
                    assert_type(message, str | None)
                case _:
                    assert_type(event.run_id, UUID)
    async with AsyncConnectionPool("", open=False) as pool, AsyncClient(pool):
        pass
    async with AsyncClient(conn):
        pass


def in_threads() -> None:
    with Client("postgresql:///app") as client:
        assert_type(client, Client)
        run = client.start_flow(flow, Site("a.org"))
        assert_type(run, Run[Site])
        assert_type(client.start_flows(flow, [Site("a.org")]), list[Run[Site]])
        assert_type(run.output_of(fetch), Page)
        assert_type(run.output_of(summary), str | None)
        assert_type(run.events(), Generator[Event, None, None])
        assert_type(run.step(fetch), RunStep[Page])
        assert_type(client.start_flow(send, 5).result(), str)
        with run.on_event(print) as subscription:
            assert_type(subscription, Subscription)
    with ConnectionPool("", open=False) as pool, Client(pool):
        pass
    with psycopg.connect("") as conn, Client(conn):
        pass
