"""Whoever starts runs and waits for some of them, through all that happens to the server."""

import random
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any
from uuid import UUID

import psycopg
from pgflow_client import Client, DatabaseProblem, RunExists

from tests.chaos.inputs import Start, any_start

# Every so manieth run is waited for by a client.
_WATCHED = 20
# Every so manieth call starts several runs at once.
_BATCHED = 10
_BATCH = 5
# Seconds within which a client is sure to look at its run.
_TELLING = 30.0


class Starter:
    """Starts runs at a steady pace. A start whose answer was lost is asked for again by its id.

    Attributes:
        started: What each run that the database has acknowledged was started with.
        waits: What clients are told who wait for a run: its result.
    """

    def __init__(self, url: str, dice: random.Random, quantity: int, seconds: float) -> None:
        self.started: dict[UUID, Start] = {}
        self.waits: dict[UUID, Future[Any]] = {}
        self._client = Client(url)
        self._dice = dice
        self._quantity = quantity
        self._pause = seconds / quantity
        self._waiters = ThreadPoolExecutor(8, "waiter")
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="starter")
        self._lock = threading.Lock()
        self.problem: BaseException | None = None

    def begin(self) -> None:
        """Begin to start runs."""
        self._thread.start()

    def is_done(self) -> bool:
        """Whether all runs are started."""
        return not self._thread.is_alive()

    def join(self) -> None:
        """Wait until all runs are started.

        Raises:
            BaseException: What went wrong, if it was no outage.
        """
        self._thread.join()
        if self.problem is not None:
            raise self.problem

    def release(self) -> None:
        """Give those who wait for a run that has ended the time to be told."""
        wait(self.waits.values(), _TELLING)

    def close(self) -> None:
        """End, whatever is still to be started or waited for."""
        self._is_over.set()
        self._thread.join()
        for waiting in self.waits.values():
            waiting.cancel()
        self._client.close()
        self._waiters.shutdown()

    def start(self, starts: list[Start]) -> None:
        """Start runs of one flow, all in one call; return when the database has them."""
        ids = [UUID(int=self._dice.getrandbits(128), version=4) for _ in starts]
        while not self._is_over.is_set():
            try:
                if len(starts) == 1:
                    self._client.start_flow(starts[0].flow, starts[0].input, run_id=ids[0])
                else:
                    inputs = [start.input for start in starts]
                    self._client.start_flows(starts[0].flow, inputs, run_ids=ids)
            except RunExists:
                break
            except (DatabaseProblem, psycopg.OperationalError):
                time.sleep(0.2)
            else:
                break
        else:
            return
        with self._lock:
            self.started.update(zip(ids, starts, strict=True))
            if len(self.started) % _WATCHED < len(starts):
                self.waits[ids[0]] = self._waiters.submit(self._result, ids[0])

    def _result(self, run_id: UUID) -> Any:
        return self._client.get_run(run_id).result()

    def _run(self) -> None:
        try:
            calls = 0
            while len(self.started) < self._quantity and not self._is_over.is_set():
                calls += 1
                first = any_start(self._dice)
                starts = [first]
                if calls % _BATCHED == 0:
                    starts = [first] * _BATCH
                self.start(starts)
                self._is_over.wait(self._pause * len(starts))
        except BaseException as error:
            self.problem = error
