"""A dashboard that is served by this process, and requests to it as any program could send them."""

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from pgflow_cli.database import Database
from pgflow_cli.ui.opening import OpenDashboard, open_dashboard
from pgflow_dsl import Flow, compile_flow
from psycopg.types.json import Jsonb


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def value(self) -> Any:
        return json.loads(self.body)


class Site:
    """A dashboard, and requests to it."""

    def __init__(self, opened: OpenDashboard, end: Callable[[], object]) -> None:
        self.opened = opened
        self._end = end
        self._is_ended = False
        address = opened.address.removeprefix("http://").partition("/")[0]
        self.host, _, port = address.rpartition(":")
        self.port = int(port)
        self.base = f"http://{address}"

    def end(self) -> None:
        """Tell the server to end, once: a second time it would not finish what is under way."""
        if not self._is_ended:
            self._is_ended = True
            self._end()

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
        """Send a request; headers are named with underscores, such as `sec_fetch_site`."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, text, given)
            response = connection.getresponse()
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read().decode(),
            )
        finally:
            connection.close()

    def act(self, path: str, body: Any = None, **headers: str) -> Answer:
        """Send what the dashboard's own page would."""
        own = {
            "content_type": "application/json",
            "x_pgflow_action": "1",
            "origin": self.base,
            "sec_fetch_site": "same-origin",
        }
        return self.ask(path, "POST", body if body is not None else {}, **{**own, **headers})

    def follow(self, path: str, **headers: str) -> Iterator[dict[str, Any]]:
        """Follow a topic; yield what each of its messages says."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        try:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET", path, headers=given)
            response = connection.getresponse()
            assert response.status == 200, response.read()
            while line := response.readline().decode():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))
        finally:
            connection.close()

    def state(self, path: str, until: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Follow a topic until its state is as wanted."""
        state: dict[str, Any] = {}
        for changed in self.follow(path):
            state |= changed
            if until(state):
                return state
        raise AssertionError(f"the stream ended: {state}")


OpenSite = Callable[..., Site]


@pytest.fixture
def open_site(db: str) -> Iterator[OpenSite]:
    """Serve dashboards of the test's database."""
    closing: list[Callable[[], None]] = []

    def serve(url: str = db, **named: Any) -> Site:
        options = {"host": "127.0.0.1", "port": 0, "may_act": False, **named}
        opened = open_dashboard(Database(url=url, source="--database-url"), **options)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_until_complete, args=(opened.server.run(),))
        thread.start()

        site = Site(opened, lambda: loop.call_soon_threadsafe(opened.server.end))

        def close() -> None:
            site.end()
            thread.join(20)
            assert not thread.is_alive()
            loop.close()

        closing.append(close)
        return site

    yield serve
    for close in closing:
        close()


@pytest.fixture
def site(open_site: OpenSite) -> Site:
    return open_site()


class Flows:
    """Defines flows, starts runs, and does what a worker would."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self.conn = conn
        self.worker_id = uuid4()

    def define(self, flow: Flow[Any]) -> None:
        self.conn.execute(compile_flow(flow).encode())

    def start(self, slug: str, value: Any = None, tags: Any = None) -> str:
        sql = "select run_id from pgflow.start_flow(%s, %s, tags => %s)"
        row = self.conn.execute(sql, (slug, Jsonb(value), Jsonb(tags or {}))).fetchone()
        assert row is not None
        return str(row[0])

    def claim(self, slug: str) -> None:
        register = "select pgflow.register_worker(%s, array[%s], 'by hand')"
        self.conn.execute(register, (self.worker_id, slug))
        claim = "select pgflow.claim_tasks(array[%s], 1000, %s)"
        self.conn.execute(claim, (slug, self.worker_id))

    def complete(self, run_id: str, step: str, output: Any, index: int = 0) -> None:
        sql = "select pgflow.complete_task(%s, %s, %s, %s)"
        self.conn.execute(sql, (run_id, step, index, Jsonb(output)))

    def emit(self, run_id: str, step: str, first: int, items: list[Any]) -> None:
        sql = """
            select pgflow.append_to_streams(
              array[%s]::uuid[], array[%s], array[0], array[1], array[%s], array[%s]
            )
        """
        self.conn.execute(sql, (run_id, step, first, Jsonb(items)))

    def fail(self, run_id: str, step: str, message: str, index: int = 0) -> None:
        sql = "select pgflow.fail_task(%s, %s, %s, %s, is_final => true)"
        self.conn.execute(sql, (run_id, step, index, message))


@pytest.fixture
def flows(conn: psycopg.Connection[Any]) -> Flows:
    made = Flows(conn)
    greet = Flow("greet", input=str)

    @greet.step
    def hello(name: str = greet.input) -> str:
        return name

    made.define(greet)
    return made
