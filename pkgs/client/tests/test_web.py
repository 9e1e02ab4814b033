"""Server-Sent Events over HTTP: who is served, from where on, and that nothing is left behind."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from pgflow_client import AsyncClient
from pgflow_client.web import sse_endpoint, sse_response
from pgflow_dsl import Flow
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@pytest.fixture
def chat(hand):
    flow = Flow("chat", input=str, max_attempts=1)

    @flow.step
    def answer(question: str = flow.input) -> str: ...

    hand.serve(flow)
    return flow


@contextlib.asynccontextmanager
async def serving(app: Any) -> AsyncGenerator[httpx.AsyncClient, None]:
    """Serve an application on a port of its own, and give a browser for it."""
    config = uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", limits=limits) as browser:
        yield browser
    server.should_exit = True
    await running


async def only_ada(request: Request, run_id: UUID) -> bool:
    return request.headers.get("x-user") == "ada"


ADA = {"x-user": "ada"}


def starlette_app(client: AsyncClient, flow: Flow[Any], **options: Any) -> Starlette:
    endpoint = sse_endpoint(
        client, authorize=only_ada, streams=[flow.get_step("answer")], **options
    )
    return Starlette(routes=[Route("/runs/{run_id}/events", endpoint)])


async def names(response: httpx.Response) -> AsyncGenerator[str, None]:
    """Give the name of each event, and the last id, as they come."""
    async for line in response.aiter_lines():
        if line.startswith("event: "):
            yield line.removeprefix("event: ")


async def test_a_browser_is_told_events_and_items_and_comes_back_where_it_was(
    db, hand, chat, eventually
):
    async with AsyncClient(db) as client, serving(starlette_app(client, chat)) as browser:
        run = await client.start_flow(chat, "who?")
        path = f"/runs/{run.run_id}/events"
        async with browser.stream("GET", path, headers=ADA) as response:
            assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert response.headers["cache-control"] == "no-store"
            lines = response.aiter_lines()
            seen: list[str] = []
            while "event: step_started" not in seen:
                seen.append(await anext(lines))
            hand.emit(run.run_id, "answer", "Hel", "lo")
            while not seen[-1].endswith('"value": "Hel"}'):
                seen.append(await anext(lines))
            last_id = seen[-3].removeprefix("id: ")
        hand.complete(run.run_id, "answer", "Hello")
        async with browser.stream(
            "GET", path, headers={**ADA, "Last-Event-ID": last_id}
        ) as response:
            rest = [name async for name in names(response)]
        assert rest == ["item", "step_completed", "run_ended"]
        # All of it is told, so a browser that comes back again is told to stay away.
        whole = await browser.get(path, headers=ADA)
        ids = [line for line in whole.text.splitlines() if line.startswith("id: ")]
        over = await browser.get(path, params={"after": ids[-1][4:]}, headers=ADA)
        assert (over.status_code, over.text) == (204, "")


async def test_nobody_is_told_anything_without_leave(db, hand, chat):
    async with AsyncClient(db) as client, serving(starlette_app(client, chat)) as browser:
        run = await client.start_flow(chat, "who?")
        hand.complete(run.run_id, "answer", "Hello")
        # Whether there is such a run is not told, either.
        for run_id in (run.run_id, uuid4()):
            assert (await browser.get(f"/runs/{run_id}/events")).status_code == 403
        assert (await browser.get(f"/runs/{run.run_id}/events", headers=ADA)).status_code == 200
        with pytest.raises(TypeError, match="authorize"):
            sse_endpoint(client)  # type: ignore[call-arg] # that is what is tested


async def test_what_cannot_be_served_has_a_status(db, hand, chat, greet):
    async with AsyncClient(db) as client, serving(starlette_app(client, chat)) as browser:
        run, other = await client.start_flow(chat, "who?"), await client.start_flow(greet, "you")

        async def status(run_id: object, **query: str) -> int:
            path = f"/runs/{run_id}/events"
            return (await browser.get(path, headers=ADA, params=query)).status_code

        assert await status(uuid4()) == 404
        assert await status("nonsense") == 404
        # A run of a flow that does not have the step.
        assert await status(other.run_id) == 404
        assert await status(run.run_id, after="nonsense") == 400
    async with (
        AsyncClient("postgresql://nobody@127.0.0.1:1/none") as nowhere,
        serving(starlette_app(nowhere, chat)) as browser,
    ):
        assert await status(run.run_id) == 503


@pytest.mark.direct("nothing listens there")
async def test_sixty_viewers_share_one_listening_connection_and_leave_nothing_behind(
    db, hand, chat, eventually
):
    viewers = 60
    async with (
        AsyncClient(db, max_connections=2) as client,
        serving(starlette_app(client, chat)) as browser,
    ):
        run = await client.start_flow(chat, "who?")
        path = f"/runs/{run.run_id}/events"
        began: list[int] = []
        told: list[str] = []

        async def view(number: int) -> None:
            async with browser.stream("GET", path, headers=ADA) as response:
                async for name in names(response):
                    if name == "step_started":
                        began.append(number)
                    if name == "item":
                        told.append(name)
                        # The odd ones leave in the middle of it.
                        if number % 2:
                            return

        viewing = [asyncio.create_task(view(number)) for number in range(viewers)]
        await eventually(lambda: len(began) == viewers)
        assert len(hand.listeners()) == 1
        assert len(hand.backends()) <= 3
        hand.emit(run.run_id, "answer", "one")
        await eventually(lambda: len(told) == viewers)
        await asyncio.gather(*viewing[1::2])
        # Nothing more comes, and yet it is noticed that they have gone.
        mine = client._hub._watcher._watches  # type: ignore[union-attr]
        await eventually(lambda: len(mine[run.run_id]) == viewers // 2)
        hand.emit(run.run_id, "answer", "two")
        hand.complete(run.run_id, "answer", "Hello")
        await asyncio.gather(*viewing)
        assert len(told) == viewers + viewers // 2
        await eventually(lambda: not hand.watched())


async def test_a_run_that_is_deleted_ends_its_responses(db, hand, chat, eventually, no_polling):
    async with AsyncClient(db) as client, serving(starlette_app(client, chat)) as browser:
        run = await client.start_flow(chat, "who?")
        async with browser.stream("GET", f"/runs/{run.run_id}/events", headers=ADA) as response:
            came = names(response)
            assert await anext(came) == "run_started"
            hand.call("delete_flow_and_data", "chat")
            (watch,) = client._hub._watcher._watches[run.run_id]  # type: ignore[union-attr]
            watch.prompt()
            assert [name async for name in came] == ["step_started"]


async def test_an_application_of_fastapi_serves_with_its_own_dependencies(db, hand, chat):
    app = FastAPI()
    client = AsyncClient(db)

    def current_user(request: Request) -> str:
        if "x-user" not in request.headers:
            raise HTTPException(401)
        return request.headers["x-user"]

    @app.get("/mine/{run_id}")
    async def mine(run_id: UUID, request: Request, user: str = Depends(current_user)) -> Response:
        run = await client.get_run(run_id, chat)
        return await sse_response(request, run, streams=[chat.get_step("answer")])

    app.get("/theirs/{run_id}")(sse_endpoint(lambda request: client, authorize=only_ada))
    async with client, serving(app) as browser:
        run = await client.start_flow(chat, "who?")
        hand.emit(run.run_id, "answer", "Hello")
        hand.complete(run.run_id, "answer", "Hello")
        assert (await browser.get(f"/mine/{run.run_id}")).status_code == 401
        assert "event: item" in (await browser.get(f"/mine/{run.run_id}", headers=ADA)).text
        assert (await browser.get(f"/theirs/{run.run_id}")).status_code == 403
        told = (await browser.get(f"/theirs/{run.run_id}", headers=ADA)).text
        assert "event: run_ended" in told
        assert "event: item" not in told
