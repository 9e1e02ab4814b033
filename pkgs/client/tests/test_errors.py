"""Errors tell people what to do, and programs what it is about."""

import pickle
from datetime import timedelta
from uuid import UUID

import pgflow_client
import psycopg
import pytest
from pgflow_client import (
    CoreError,
    DatabaseUnreachable,
    PermissionRefused,
    PgflowError,
    RunCancelled,
    RunFailed,
    RunNotFound,
    StepNotCompleted,
    WaitInTransaction,
    WaitTimeout,
    error_for,
)

RUN = UUID(int=5)

ERRORS = [
    RunNotFound("run 5 does not exist", "look again", f"run_id={RUN} flow_slug=f"),
    DatabaseUnreachable("no route"),
    RunFailed(RUN, "f", "s", "boom"),
    RunFailed(RUN, "f", None, None),
    RunCancelled(RUN, "f", None),
    WaitTimeout(RUN, "f", timedelta(seconds=1)),
    StepNotCompleted(RUN, "s", "created", None),
    WaitInTransaction(RUN),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_being_sent_to_another_process(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_every_error_is_one_of_pgflow():
    errors = [
        each
        for name in pgflow_client.__all__
        if isinstance(each := getattr(pgflow_client, name), type) and issubclass(each, Exception)
    ]
    assert all(issubclass(each, PgflowError) for each in errors)


@pytest.mark.parametrize("kind", CoreError.__subclasses__(), ids=lambda kind: kind.sqlstate)
def test_each_error_of_the_core_arrives_with_its_data(conn, kind):
    raises = f"""
        do $$ begin
          raise exception using errcode = '{kind.sqlstate}', message = 'it is so', hint = 'do that',
            detail = 'flow_slug=f run_id={RUN} step_slug=s worker_id={RUN}';
        end $$
    """
    with pytest.raises(psycopg.Error) as caught:
        conn.execute(raises.encode())
    error = error_for(caught.value)
    assert type(error) is kind
    assert (error.flow_slug, error.step_slug) == ("f", "s")
    assert error.run_id == error.worker_id == RUN
    assert (error.message, error.hint, str(error)) == ("it is so", "do that", "it is so: do that")


def test_data_that_an_error_does_not_have_is_none():
    error = RunNotFound("no such run")
    assert (error.flow_slug, error.step_slug, error.run_id, error.worker_id) == (None,) * 4
    assert str(error) == "no such run"


def test_errors_that_mean_nothing_to_pgflow_stay_the_drivers(conn):
    for statement in (b"select 1 / 0", b"select * from missing", b"selekt"):
        with pytest.raises(psycopg.Error) as caught:
            conn.execute(statement)
        assert error_for(caught.value) is None


def test_a_refused_right_is_told_whatever_it_was_for(conn):
    conn.execute("set role pgflow_reader")
    with pytest.raises(psycopg.Error) as caught:
        conn.execute("select pgflow.start_flow('f', '1')")
    assert isinstance(error_for(caught.value), PermissionRefused)
