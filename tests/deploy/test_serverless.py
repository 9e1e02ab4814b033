"""The worker behind a URL, on a real server: it works while a request lasts, and for no longer."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from pgflow_client import Client

from tests.deploy.serving import DEPLOY, PATIENCE
from tests.support import until

SECRET = "s3cret"
HEADERS = {"authorization": f"Bearer {SECRET}"}
Connection = psycopg.Connection[Any]

# What pg_net does before it sends.
PG_NET = """
create schema net;
create table net.requests (url text, headers jsonb, body jsonb);
create function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{}'
) returns bigint language sql as
'insert into net.requests values (url, headers, body) returning 1::bigint';
"""


@pytest.fixture
def served(db: str) -> Iterator[Callable[..., httpx.Client]]:
    """Serve the application by uvicorn, with some of its variables."""
    started: list[subprocess.Popen[bytes]] = []
    browsers: list[httpx.Client] = []

    def serve(**variables: str) -> httpx.Client:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        env = {"PGFLOW_DATABASE_URL": db, "PGFLOW_SECRET": SECRET, "IDLE_TIMEOUT": "0.3"}
        words = ["-m", "uvicorn", "app:app", f"--port={port}", "--log-level=warning"]
        server = subprocess.Popen(
            [sys.executable, *words],
            cwd=DEPLOY / "serverless",
            env={**os.environ, **env, **variables, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        started.append(server)
        browser = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        browsers.append(browser)
        until(lambda: is_up(server, browser), PATIENCE)
        return browser

    yield serve
    for browser in browsers:
        browser.close()
    for server in started:
        server.terminate()
        assert server.wait(60) in (0, -15)


def is_up(server: "subprocess.Popen[bytes]", browser: httpx.Client) -> bool:
    assert server.poll() is None, "the server has ended by itself"
    try:
        return browser.get("/health").is_success
    except httpx.ConnectError:
        return False


def status(conn: Connection) -> str:
    return conn.execute("select status from pgflow.runs").fetchall()[0][0]


def test_a_request_works_until_nothing_is_left_and_the_worker_says_goodbye(
    db: str, conn: Connection, served: Callable[..., httpx.Client]
):
    browser = served()
    assert browser.post("/").status_code == 401
    # The first request defines the flow.
    assert browser.post("/", headers=HEADERS).json()["status"] == "stopped"
    with Client(db) as client:
        run = client.start_flow("shop", [0.0, 0.1, 0.2])
        answer = browser.post("/", headers=HEADERS)
        assert (answer.status_code, answer.json()["status"]) == (200, "stopped")
        assert run.result() == {"pack": [0.0, 0.1, 0.2]}
    left = "select count(*) from pgflow.workers where stopped_at is null"
    assert conn.execute(left).fetchone() == (0,)


def test_what_is_not_done_when_time_is_up_is_done_by_the_next_request(
    db: str, conn: Connection, served: Callable[..., httpx.Client]
):
    browser = served(RUN_FOR="0.5", SHUTDOWN_TIMEOUT="0")
    browser.post("/", headers=HEADERS)
    with Client(db) as client:
        run = client.start_flow("shop", [2.0])
        # The handler takes longer than the request may, so its task is handed back.
        assert browser.post("/", headers=HEADERS).json()["status"] == "stopped"
        row = "select status, attempts_count - released_count from pgflow.step_tasks"
        assert conn.execute(row).fetchone() == ("queued", 0)
        assert conn.execute("select pgflow.get_backlog()").fetchone() == (1,)
        patient = served()
        assert patient.post("/", headers=HEADERS).json()["status"] == "stopped"
        assert run.result() == {"pack": [2.0]}


def test_the_database_calls_it_when_there_is_work_and_only_then(
    db: str, conn: Connection, served: Callable[..., httpx.Client]
):
    browser = served()
    conn.execute(PG_NET.encode())
    base = str(browser.base_url).rstrip("/")
    conn.execute("select pgflow.configure_worker_functions(%s, %s)", (base, SECRET))
    browser.post("/shop", headers=HEADERS)
    assert calls(conn, browser) == []
    with Client(db) as client:
        run = client.start_flow("shop", [0.0])
        until(lambda: calls(conn, browser) == ["stopped"], timedelta(seconds=20))
        assert run.result() == {"pack": [0.0]}
    assert calls(conn, browser) == []


def calls(conn: Connection, browser: httpx.Client) -> list[str]:
    """Have the database call, as pg_cron would, and send what pg_net would have sent."""
    conn.execute("select pgflow.ensure_workers()")
    rows = conn.execute("delete from net.requests returning url, headers, body").fetchall()
    answers = [
        browser.post(url, headers=head, content=json.dumps(body)) for url, head, body in rows
    ]
    return [answer.json()["status"] for answer in answers]
