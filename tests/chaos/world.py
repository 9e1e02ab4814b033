"""A server, three workers and whoever starts runs: all that the suite breaks, and how it ends."""

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pgflow_core_sql
import psycopg
from pgflow_cli.embedded import EmbeddedServer

from tests.chaos.starting import Starter
from tests.chaos.workers import WorkerProcess
from tests.support import throwaway_server, until
from tests.support.proxy import Proxy, proxy

WATCH = Path(__file__).with_name("watch.sql")
DATABASE = "postgres"
WORKERS = 3
# Durable commits, as by default; few connections, so that they can be used up.
SETTINGS = {"max_connections": "80", "log_min_messages": "fatal"}
START = timedelta(seconds=60)
# When nothing moves for so long, whatever is left is stuck. Longer than any timeout of a flow, with
# the thirty seconds that an attempt may outlive it.
QUIET = 100.0


class Forgetful:
    """A session that began a transaction, wrote in it, and is never heard of again.

    It keeps an old snapshot, the lock of a flow, and a run that it started and never commits.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._conn: psycopg.Connection[Any] | None = None

    def sit(self) -> None:
        """Have the session there; after the server ended it, another."""
        if self._conn is not None and not self._conn.closed and self._is_there():
            return
        with suppress(psycopg.Error):
            self._conn = psycopg.connect(self._url)
            self._conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            self._conn.execute("select count(*) from pgflow.runs")
            self._conn.execute("select pgflow.start_flow('single', '1')")

    def leave(self) -> None:
        """End the session."""
        if self._conn is not None:
            self._conn.close()

    def _is_there(self) -> bool:
        assert self._conn is not None
        try:
            self._conn.execute("select 1")
        except psycopg.Error:
            return False
        return True


class World:
    """All that can be broken.

    Attributes:
        server: The server.
        way: A proxy through which the last of the workers reaches it.
        workers: The workers.
        starter: Starts runs.
        forgetful: A session idle in a transaction.
        ledger: The folder of what handlers did.
    """

    def __init__(self, server: EmbeddedServer, way: Proxy, folder: Path, starter: Starter) -> None:
        self.server = server
        self.way = way
        self.ledger = folder
        self.starter = starter
        self.forgetful = Forgetful(self.url)
        urls = [self.url] * (WORKERS - 1) + [way.url(DATABASE)]
        self.workers = [WorkerProcess(number, url, folder) for number, url in enumerate(urls)]

    @property
    def url(self) -> str:
        """The URL of the database, directly."""
        return self.server.url(DATABASE)

    def connect(self) -> psycopg.Connection[Any]:
        """Open a connection for the suite itself, as soon as the server lets it."""
        end = time.monotonic() + START.total_seconds()
        while True:
            try:
                return psycopg.connect(self.url, autocommit=True)
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def value(self, query: str) -> Any:
        """Ask the database for one value."""
        with self.connect() as conn:
            row = conn.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]

    def wait_until_ready(self) -> None:
        """Return when all workers serve."""
        for worker in self.workers:
            until(lambda worker=worker: worker.is_ready, START, what="a worker serves")

    def settle(self) -> bool:
        """Wait until every run has ended, or nothing moves any more; return whether all have."""
        moved_at, last = time.monotonic(), None
        while True:
            with suppress(psycopg.Error):
                if self.value("select count(*) from pgflow.runs where status = 'started'") == 0:
                    return True
                moves = self.value("select count(*) from chaos.log")
                if moves != last:
                    moved_at, last = time.monotonic(), moves
            if time.monotonic() - moved_at > QUIET:
                return False
            time.sleep(0.25)


@contextmanager
def world(folder: Path, dice: random.Random, *, runs: int, seconds: float) -> Iterator[World]:
    """Make a world in which runs are started, and end all of it.

    Args:
        folder: Where workers log and handlers note what they do.
        dice: Decides on the runs.
        runs: How many there are to be.
        seconds: How long it takes to start them.
    """
    with ExitStack() as stack:
        server = stack.enter_context(throwaway_server(SETTINGS))
        pgflow_core_sql.Migrator(server.url(DATABASE)).migrate()
        with psycopg.connect(server.url(DATABASE)) as conn:
            conn.execute(WATCH.read_bytes())
        way = stack.enter_context(proxy(server))
        starter = Starter(server.url(DATABASE), dice, runs, seconds)
        made = World(server, way, folder, starter)
        for worker in made.workers:
            worker.start()
            stack.callback(worker.stop)
        stack.callback(starter.close)
        stack.callback(made.forgetful.leave)
        made.wait_until_ready()
        made.forgetful.sit()
        starter.begin()
        yield made
