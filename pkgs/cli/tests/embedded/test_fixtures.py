"""The fixtures that every package's tests rely on."""

from datetime import timedelta

import psycopg
import pytest

from tests.support import until


@pytest.mark.parametrize("turn", [1, 2])
def test_every_test_gets_a_fresh_database_with_the_schema(conn, turn):
    assert conn.execute("select to_regclass('pgflow.runs') is not null").fetchone() == (True,)
    assert conn.execute("select to_regclass('left_over')").fetchone() == (None,)
    conn.execute("create table left_over ()")


def test_a_database_that_is_still_in_use_does_not_hinder_its_end(db, request):
    connection = psycopg.connect(db)
    request.addfinalizer(connection.close)
    connection.execute("select 1")


def test_until_gives_the_value_that_ended_the_wait():
    values = iter([None, 0, "there"])
    assert until(lambda: next(values)) == "there"


def test_until_fails_with_the_condition_that_did_not_hold():
    with pytest.raises(pytest.fail.Exception, match="within 0 s: the impossible"):
        until(lambda: False, timedelta(0), what="the impossible")
