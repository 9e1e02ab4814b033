"""A worker behind a URL: who may start it, what it answers, and how it ends."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pgflow_client import AsyncClient
from pgflow_dsl import job
from pgflow_worker import FlowsInvalid, WorkerOptions, WorkerOptionsInvalid
from pgflow_worker.asgi import WorkerApp

from tests.support import until

Connection = psycopg.Connection[Any]

SECRET = "s3cret"
LONG = 60


@job
async def shout(text: str) -> str:
    await asyncio.sleep(0)
    return text.upper()


@job
async def rest(seconds: float) -> None:
    await asyncio.sleep(seconds)


def app_of(db: str, **more: Any) -> WorkerApp:
    options = {"idle_timeout": timedelta(seconds=0.2), "options": WorkerOptions(listen=False)}
    return WorkerApp([shout, rest], db, function_name="loud", secret=SECRET, **options | more)


async def ask(
    app: WorkerApp, path: str = "/", method: str = "POST", secret: str | None = SECRET
) -> tuple[int, dict[str, Any]]:
    """Send a request; return the status and the JSON of the answer."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [] if secret is None else [(b"authorization", f"Bearer {secret}".encode())]
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    await app(scope, receive, send)
    start, body = sent
    return start["status"], json.loads(body["body"])


@asynccontextmanager
async def lifespan_of(app: WorkerApp) -> AsyncGenerator[None]:
    """Live as a server that starts, and ends when the block does."""
    events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    done: asyncio.Queue[str] = asyncio.Queue()

    async def send(message: Any) -> None:
        await done.put(message["type"])

    living = asyncio.create_task(app({"type": "lifespan"}, events.get, send))
    await events.put({"type": "lifespan.startup"})
    assert await done.get() == "lifespan.startup.complete"
    yield
    await events.put({"type": "lifespan.shutdown"})
    assert await asyncio.wait_for(done.get(), LONG) == "lifespan.shutdown.complete"
    await living


def statuses(conn: Connection) -> list[str]:
    return [row[0] for row in conn.execute("select status from pgflow.runs").fetchall()]


def test_a_call_runs_the_worker_until_there_is_nothing_to_do(db: str, conn: Connection):
    async def call() -> tuple[int, dict[str, Any]]:
        app = app_of(db)
        # The first call defines the flows.
        await ask(app)
        async with AsyncClient(db) as client:
            await client.start_flow(shout, "hey")
        return await ask(app, "/any/path")

    status, answer = asyncio.run(asyncio.wait_for(call(), LONG))
    assert (status, answer["status"]) == (200, "stopped")
    assert statuses(conn) == ["completed"]
    stopped = "select stopped_at is not null from pgflow.workers where worker_id = %s"
    assert conn.execute(stopped, (answer["worker_id"],)).fetchone() == (True,)


def test_a_worker_that_runs_is_not_started_again(db: str):
    async def call() -> None:
        app = app_of(db, holds=False, idle_timeout=timedelta(hours=1))
        async with lifespan_of(app):
            status, started = await ask(app)
            assert (status, started["status"]) == (202, "started")
            status, running = await ask(app)
            assert (status, running["status"]) == (200, "running")
            assert running["worker_id"] == started["worker_id"]

    asyncio.run(asyncio.wait_for(call(), LONG))


@pytest.mark.parametrize("secret", [None, "", "S3cret", "s3cret2", "s3cre", "s3crét"])
def test_without_the_secret_nothing_happens(db: str, conn: Connection, secret: str | None):
    status, answer = asyncio.run(ask(app_of(db), secret=secret))
    assert (status, answer) == (401, {"error": "unauthorized"})
    assert conn.execute("select count(*) from pgflow.workers").fetchone() == (0,)


def test_two_headers_of_which_one_is_right_are_refused(db: str):
    async def call() -> int:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        right = (b"authorization", f"Bearer {SECRET}".encode())
        headers = [(b"authorization", b"Bearer x"), right]
        scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
        await app_of(db)(scope, lambda: asyncio.sleep(0, {}), send)
        return sent[0]["status"]

    assert asyncio.run(call()) == 401


def test_an_empty_secret_is_refused_at_once(db: str):
    with pytest.raises(WorkerOptionsInvalid, match="everybody"):
        WorkerApp([shout], db, function_name="loud", secret="")
    with pytest.raises(FlowsInvalid):
        WorkerApp([], db, function_name="loud", secret=SECRET)


def test_probes_need_no_secret_and_start_nothing(db: str, conn: Connection):
    async def probe() -> None:
        app = app_of(db)
        async with lifespan_of(app):
            for path in ("/health", "/ready", "/mounted/ready/"):
                assert await ask(app, path, "GET", None) == (200, {"status": "ok"})
        assert (await ask(app, "/health", "GET", None))[0] == 200
        assert (await ask(app, "/ready", "GET", None))[0] == 503
        assert (await ask(app, "/else", "GET", None))[0] == 404
        assert (await ask(app, "/", "PUT"))[0] == 405
        assert (await ask(app))[0] == 503

    asyncio.run(asyncio.wait_for(probe(), LONG))
    assert conn.execute("select count(*) from pgflow.workers").fetchone() == (0,)


def test_a_server_that_ends_lets_the_worker_finish(db: str, conn: Connection):
    async def serve() -> None:
        app = app_of(db, holds=False, idle_timeout=timedelta(hours=1))
        async with lifespan_of(app), AsyncClient(db) as client:
            await ask(app)
            await asyncio.to_thread(until, lambda: defined(conn))
            await client.start_flow(rest, 0.3)
            await asyncio.to_thread(until, lambda: held(conn))

    asyncio.run(asyncio.wait_for(serve(), LONG))
    assert statuses(conn) == ["completed"]


def defined(conn: Connection) -> bool:
    return conn.execute("select count(*) from pgflow.steps").fetchone() == (2,)


def held(conn: Connection) -> bool:
    query = "select count(*) from pgflow.step_tasks where status = 'started'"
    return conn.execute(query).fetchone() == (1,)


def test_a_worker_that_fails_tells_the_log_and_not_the_caller(
    db: str, conn: Connection, caplog: pytest.LogCaptureFixture
):
    conn.execute("drop schema pgflow cascade")
    status, answer = asyncio.run(ask(app_of(db)))
    assert (status, answer["status"]) == (500, "failed")
    assert set(answer) == {"status", "worker_id"}
    assert "pgflow install" in caplog.text


SERVED = """
import os
from datetime import timedelta
from pgflow_dsl import job
from pgflow_worker.asgi import WorkerApp

@job
def shout(text: str) -> str:
    return text.upper()

app = WorkerApp(
    [shout], os.environ["DATABASE"], function_name="loud", secret="s3cret",
    idle_timeout=timedelta(seconds=0.2),
)
"""


@pytest.mark.slow
def test_the_database_calls_a_worker_behind_a_real_server(
    db: str, conn: Connection, tmp_path: Path
):
    """The whole circle, with a stand-in for pg_net that leaves the sending to this test."""
    conn.execute("""
        create schema net;
        create table net.requests (url text, headers jsonb, body jsonb);
        create function net.http_post(
          url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{}'
        ) returns bigint language sql as
        'insert into net.requests values (url, headers, body) returning 1::bigint';
    """)
    (tmp_path / "served.py").write_text(SERVED)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "served:app", f"--port={port}", "--log-level=warning"],
        cwd=tmp_path,
        env=os.environ | {"DATABASE": db},
    )
    try:
        base = f"http://127.0.0.1:{port}"
        until(lambda: is_up(f"{base}/health"), timedelta(seconds=30))
        conn.execute("select pgflow.configure_worker_functions(%s, %s)", (base, SECRET))
        conn.execute("select pgflow.track_worker_function('loud')")
        assert send_requests(conn) == ["stopped"]
        conn.execute(
            "update pgflow.worker_functions set last_invoked_at = now() - interval '1 day'"
        )
        assert send_requests(conn) == []  # Its flows are known now, and have no work.
        conn.execute("select pgflow.start_flow('shout', '\"hey\"')")
        assert send_requests(conn) == ["stopped"]
        assert conn.execute("select output from pgflow.runs").fetchone() == ({"shout": "HEY"},)
    finally:
        server.terminate()
        server.wait(30)


def is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def send_requests(conn: Connection) -> list[str]:
    """Let the database call, and send what it would have sent; return what was answered."""
    conn.execute("select pgflow.ensure_workers()")
    rows = conn.execute("delete from net.requests returning url, headers, body").fetchall()
    answers: list[str] = []
    for url, headers, body in rows:
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=LONG) as answer:
            answers.append(json.loads(answer.read())["status"])
    return answers
