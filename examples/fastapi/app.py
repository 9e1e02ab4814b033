"""The application: ask, watch the answer being written, read it, call it off."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import Cookie, Depends, FastAPI, HTTPException
from fastapi.responses import FileResponse
from flows import Question, answer, chat
from pgflow_client import AsyncClient, AsyncRun
from pgflow_client.web import sse_endpoint
from pgflow_worker import Worker
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel
from starlette.requests import Request

PAGE = Path(__file__).with_name("page.html")


class Asked(BaseModel):
    """A question that was taken."""

    run_id: UUID


class Reply(BaseModel):
    """How far a question has come; the answer once it is written."""

    status: str
    answer: str | None


def current_user(user: Annotated[str | None, Cookie()] = None) -> str:
    """Stand for your sessions: the cookie names the user."""
    if user is None:
        raise HTTPException(401, "say who you are")
    return user


User = Annotated[str, Depends(current_user)]


def create_app(database_url: str) -> FastAPI:
    """Make the application.

    Args:
        database_url: A database that has pgflow's schema.
    """
    pool = AsyncConnectionPool[Any](database_url, open=False)
    client = AsyncClient(pool)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        # A small application may serve its flows itself; else it is `pgflow worker flows:chat`.
        worker = Worker([chat], database_url)
        async with pool, client:
            async with pool.connection() as conn:
                await conn.execute(
                    "create table if not exists questions (run_id uuid primary key, asker text)"
                )
            serving = asyncio.create_task(worker.run())
            await worker.wait_ready()
            yield
            worker.stop()
            await serving

    async def is_mine(request: Request, run_id: UUID) -> bool:
        async with pool.connection() as conn:
            mine = await conn.execute(
                "select 1 from questions where run_id = %s and asker = %s",
                (run_id, request.cookies.get("user")),
            )
            return await mine.fetchone() is not None

    async def my_run(request: Request, run_id: UUID, user: User) -> AsyncRun[Question]:
        if not await is_mine(request, run_id):
            raise HTTPException(404, "you asked no such question")
        return await client.get_run(run_id, chat)

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def page() -> FileResponse:
        return FileResponse(PAGE)

    @app.post("/runs", status_code=201)
    async def ask(question: Question, user: User) -> Asked:
        # The run starts if and only if the row is there: both are one transaction.
        async with pool.connection() as conn, conn.transaction():
            run = await AsyncClient(conn).start_flow(chat, question)
            await conn.execute("insert into questions values (%s, %s)", (run.run_id, user))
        return Asked(run_id=run.run_id)

    @app.get("/runs/{run_id}")
    async def read(run: Annotated[AsyncRun[Question], Depends(my_run)]) -> Reply:
        done = run.status == "completed"
        return Reply(status=run.status, answer=await run.output_of(answer) if done else None)

    @app.delete("/runs/{run_id}", status_code=204)
    async def call_off(run: Annotated[AsyncRun[Question], Depends(my_run)]) -> None:
        await run.cancel("the user called it off")

    app.add_route(
        "/runs/{run_id}/events", sse_endpoint(client, authorize=is_mine, streams=[answer])
    )
    return app
