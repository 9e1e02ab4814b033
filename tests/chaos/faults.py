"""What can go wrong, each as a function that does it and waits until its cause is over."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.chaos.inputs import blocking
from tests.chaos.world import World
from tests.support.proxy import Fault
from tests.support.replicas import PATIENCE, crash
from tests.support.waiting import until

BLOCKED_LOOP = "event loop blocked by a handler"
# A worker is lost after seven seconds of silence.
LEASE = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A fault that happened.

    Attributes:
        name: Of the fault.
        began_at, ended_at: When its cause was there, in seconds since 1970.
        place: The worker that was hit; None where it was the server or the way to it.
    """

    name: str
    began_at: float
    ended_at: float
    place: str | None = None


FaultFunction = Callable[[World, random.Random], str | None]
FAULTS: dict[str, FaultFunction] = {}


def fault(name: str) -> Callable[[FaultFunction], FaultFunction]:
    """Enter a function in the list of faults. It returns the place of the worker that it hit."""

    def enter(function: FaultFunction) -> FaultFunction:
        FAULTS[name] = function
        return function

    return enter


def inflict(name: str, world: World, dice: random.Random) -> Incident:
    """Have a fault happen."""
    began_at = time.time()
    place = FAULTS[name](world, dice)
    return Incident(name=name, began_at=began_at, ended_at=time.time(), place=place)


@fault("worker killed (kill -9)")
def kill_worker(world: World, dice: random.Random) -> str | None:
    worker = dice.choice(world.workers)
    place = worker.place
    worker.kill(away=dice.uniform(0, 3))
    return place


@fault("worker frozen (SIGSTOP)")
def freeze_worker(world: World, dice: random.Random) -> str | None:
    worker = dice.choice(world.workers)
    place = worker.place
    worker.freeze()
    # Often for longer than its lease: it wakes up while others are at what it was at.
    time.sleep(dice.choice([dice.uniform(1, LEASE), dice.uniform(LEASE + 2.5, LEASE + 6)]))
    worker.thaw()
    return place


@fault(BLOCKED_LOOP)
def block_loops(world: World, dice: random.Random) -> None:
    for _ in range(2):
        world.starter.start([blocking(dice.randrange(2, LEASE + 3))])


@fault("server killed (kill -9)")
def kill_server(world: World, dice: random.Random) -> None:
    crash(world.server)
    # Now and then for longer than a lease.
    time.sleep(dice.choice([0.0, 0.5, 2.0, LEASE + 2.0]))
    world.server.start()


@fault("server process killed (kill -9)")
def kill_backend(world: World, dice: random.Random) -> None:
    # The server takes it for a crash of its own, ends all sessions and recovers.
    with world.connect() as conn:
        # Workers may just have lost all of their connections.
        pids = until(lambda: _pids_of_workers(conn), PATIENCE)
        os.kill(dice.choice(pids), signal.SIGKILL)
        _wait_until_cut(conn)


@fault("server restarted")
def restart_server(world: World, dice: random.Random) -> None:
    world.server.stop()
    time.sleep(dice.uniform(0, 2))
    world.server.start()


@fault("connections terminated")
def terminate_backends(world: World, dice: random.Random) -> None:
    with world.connect() as conn:
        for _ in range(dice.randrange(3, 10)):
            pids = _pids_of_workers(conn)
            some = dice.sample(pids, dice.randrange(len(pids) + 1))
            conn.execute("select pg_terminate_backend(pid) from unnest(%s::int[]) as pid", (some,))
            time.sleep(dice.uniform(0, 0.5))


@fault("connections cut in mid-call")
def cut_calls(world: World, dice: random.Random) -> None:
    for _ in range(10):
        name = dice.choice(["pgflow lane", "pgflow hunter", "pgflow heartbeat"])
        part: Any = dice.choice(["request", "answer", "answer"])
        armed = Fault(name=name, part=part, after=dice.choice([0, 0, 1, 20, 200]))
        world.way.arm(armed)
        armed.has_happened.wait(1)
    world.way.disarm()


@fault("network silent")
def silence(world: World, dice: random.Random) -> str | None:
    # What is open stays so, and hears nothing any more; new connections come through afterwards.
    place = world.workers[-1].place
    world.way.silence()
    time.sleep(dice.uniform(1, LEASE + 3))
    world.way.heal()
    return place


@fault("connections used up")
def use_up_connections(world: World, dice: random.Random) -> None:
    hogs: list[psycopg.Connection[Any]] = []
    try:
        with world.connect() as conn:
            _hog(world.url, hogs)
            pids = _pids_of_workers(conn)
            conn.execute("select pg_terminate_backend(pid) from unnest(%s::int[]) as pid", (pids,))
            end = time.monotonic() + dice.uniform(2, LEASE + 2)
            while time.monotonic() < end:
                _hog(world.url, hogs)
                time.sleep(0.02)
    finally:
        for hog in hogs:
            hog.close()


@fault("runs locked by somebody")
def hold_runs(world: World, dice: random.Random) -> None:
    # Longer than a report waits before it passes over them.
    with world.connect() as conn, conn.transaction():
        conn.execute("""
            select from pgflow.runs where run_id in (
              select run_id from pgflow.runs where status = 'started' order by random() limit 3
            ) for update
        """)
        time.sleep(dice.uniform(1, 10))


@fault("disk slow")
def slow_down(world: World, dice: random.Random) -> None:
    _set_slowness(world, dice.choice([0.05, 0.2, 1.0]))
    time.sleep(dice.uniform(4, 8))
    _set_slowness(world, 0)


def _wait_until_cut(conn: psycopg.Connection[Any]) -> None:
    """Wait until the server has ended a session, this suite's own."""
    with suppress(psycopg.OperationalError):
        for _ in range(1000):
            conn.execute("select 1")
            time.sleep(0.01)


def _set_slowness(world: World, seconds: float) -> None:
    with world.connect() as conn:
        conn.execute("update chaos.slowness set seconds = %s", (seconds,))


def _hog(url: str, hogs: list[psycopg.Connection[Any]]) -> None:
    """Open connections until there is none left."""
    with suppress(psycopg.OperationalError):
        while True:
            hogs.append(psycopg.connect(url, connect_timeout=2))


def _pids_of_workers(conn: psycopg.Connection[Any]) -> list[int]:
    rows = conn.execute(
        "select pid from pg_stat_activity where application_name like 'pgflow %' order by pid"
    )
    return [row[0] for row in rows]
