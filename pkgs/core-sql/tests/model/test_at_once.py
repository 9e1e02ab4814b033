"""Four sessions at random flows at once: no rule is broken at any moment, and every run ends."""

from typing import Any

import psycopg
import pytest
from core_sql_support import Engine, broken_rules
from core_sql_support.crowd import DAWDLE, ENDS_ONCE, Crowd
from core_sql_support.fuzzing import examples
from core_sql_support.records import Step
from core_sql_support.replay import Replay
from core_sql_support.scenarios import flows
from hypothesis import given
from hypothesis import strategies as st

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture
def strict(conn: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A connection to a database that takes its time, and in which what has ended stays so."""
    conn.execute(ENDS_ONCE)
    conn.execute(DAWDLE)
    return conn


@examples(12)
@given(steps=flows(10), seeds=st.tuples(*[st.integers(0, 10**6)] * 4))
def test_no_rule_is_broken_at_any_moment_and_every_run_ends(
    strict: psycopg.Connection[Any], db: str, steps: list[Step], seeds: tuple[int, ...]
):
    replay = Replay(strict)
    try:
        replay.define(steps)
        replay.start(0, [[1, None], [], [2]])
        crowd = Crowd(db, replay.slugs, replay.run_ids)
        crowd.act(strict, seeds, actions=30)
        crowd.finish(Engine(strict))
        assert broken_rules(strict) == []
    finally:
        replay.clean()
