"""The client for threads: the same code, so what is tested is what threads make different."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from pgflow_client import Client, FlowNotFound, RunFailed, WaitInTransaction, WaitTimeout
from psycopg_pool import ConnectionPool

from tests.support import until


def test_start_wait_and_read(db, hand, greet, no_polling):
    with Client(db) as client, ThreadPoolExecutor() as threads:
        run = client.start_flow(greet, "you")
        wait = threads.submit(run.wait)
        until(hand.is_waited_for)
        hand.complete(run.run_id, "hello", "hi")
        assert wait.result().status == "completed"
        assert run.output_of(greet.steps[0]) == "hi"
        assert client.get_run(run.run_id, greet).result() == {"hello": "hi"}
        names = [type(event).__name__ for event in run.events()]
    assert names == ["RunStarted", "StepStarted", "StepCompleted", "RunEnded"]


def test_failures_and_timeouts_are_raised(db, hand, greet):
    with Client(db) as client:
        run = client.start_flow(greet, "you")
        with pytest.raises(WaitTimeout):
            run.wait(timedelta(milliseconds=20))
        hand.fail(run.run_id, "hello")
        with pytest.raises(RunFailed, match="boom"):
            run.wait()


@pytest.mark.direct("nothing listens there")
def test_many_threads_share_a_client_and_its_listening_connection(db, hand, greet):
    with Client(db, max_connections=2) as client, ThreadPoolExecutor(40) as threads:
        runs = client.start_flows(greet, [str(n) for n in range(40)])
        waits = [threads.submit(run.wait) for run in runs]
        until(lambda: len(hand.watched()) == 40)
        assert len(hand.listeners()) == 1
        assert len(hand.backends()) <= 3
        hand.claim()
        for run in runs:
            hand.complete(run.run_id, "hello")
        assert {wait.result().status for wait in waits} == {"completed"}
        until(lambda: not hand.watched())
    until(lambda: not hand.backends())


def test_a_cut_listening_connection_loses_nothing(db, hand, greet, no_polling):
    with Client(db) as client, ThreadPoolExecutor() as threads:
        run = client.start_flow(greet, "you")
        events = threads.submit(lambda: list(run.events()))
        until(hand.is_waited_for)
        hand.claim()
        hand.cut(*hand.listeners())
        hand.complete(run.run_id, "hello")
        assert len(events.result()) == 4


def test_an_abandoned_iterator_leaves_no_mark_and_a_closed_client_no_thread(db, hand, greet):
    before = set(threading.enumerate())
    with Client(db) as client:
        run = client.start_flow(greet, "you")
        for _ in run.events():
            until(hand.is_waited_for)
            break
        until(lambda: not hand.watched())
    assert set(threading.enumerate()) <= before


def test_the_callers_transaction_decides(db, hand, greet):
    with psycopg.connect(db) as caller:
        client = Client(caller)
        run = client.start_flow(greet, "you")
        with pytest.raises(WaitInTransaction):
            run.wait()
        caller.rollback()
        assert hand.runs() == 0


def test_a_pool_lends_connections(db, hand, greet):
    with ConnectionPool(db, min_size=1, max_size=1, open=False) as pool, Client(pool) as client:
        run = client.start_flow(greet, "you")
        hand.complete(run.run_id, "hello", "hi")
        assert run.result() == {"hello": "hi"}


def test_refusals_are_the_same_classes(db):
    with Client(db) as client, pytest.raises(FlowNotFound, match="flow missing does not exist"):
        client.start_flow("missing")
