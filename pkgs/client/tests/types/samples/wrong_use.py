"""Uses of the client with mistakes: both checkers report each marked line."""

from dataclasses import dataclass
from typing import assert_type

import psycopg
from pgflow_client import AsyncClient, Client
from pgflow_dsl import Flow, job


@dataclass
class Site:
    url: str


flow = Flow("site", input=Site)
other = Flow("other", input=int)


@flow.step
async def fetch(site: Site = flow.input) -> str:
    return site.url


@flow.step(when_exhausted="skip")
def summary(text: str = fetch.output) -> str:
    return text


@job
async def send(count: int) -> str:
    return str(count)


async def on_asyncio(client: AsyncClient, conn: psycopg.Connection) -> None:
    await client.start_flow(flow, "a.org")  # error
    await client.start_flow(flow, {"url": "a.org"})  # error
    await client.start_flow(flow)  # error
    await client.start_flow(flow, Site("a.org"), priority="high")  # error
    await client.start_flow(flow, Site("a.org"), 5)  # error
    await client.start_flow(flow, Site("a.org"), delay=5)  # error
    await client.start_flow(flow, Site("a.org"), tags=["red"])  # error
    await client.start_flow(flow, Site("a.org"), key="x")  # error
    await client.start_flow(send)  # error
    await client.start_flow(send, "5")  # error
    await client.send(send, "5")  # error
    await client.send(flow, Site("a.org"))  # error
    await client.send_many(send, ["5"])  # error
    assert_type(await (await client.start_flow(send, 5)).result(), int)  # error
    await client.start_flows(flow, [1])  # error
    await client.start_flows(flow, Site("a.org"))  # error
    run = await client.start_flow(flow, Site("a.org"))
    await run.wait(5)  # error
    await run.output_of(fetch.output)  # this is the slug of a step to a checker
    await run.output_of(5)  # error
    assert_type(await run.output_of(summary), str)  # error
    await run.step(fetch).wait(5)  # error
    assert_type(await run.step(fetch).output(), int)  # error
    await run.restart_from(5)  # error
    run.on_event(5)  # error
    run.events().missing()  # error
    AsyncClient(conn)  # error


def in_threads(client: Client, conn: psycopg.AsyncConnection) -> None:
    client.start_flow(flow, "a.org")  # error
    client.start_flow(other, "5")  # error
    Client(conn)  # error
