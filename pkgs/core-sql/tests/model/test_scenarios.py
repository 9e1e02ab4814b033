"""The database does what the model says: the same rows after each operation of any scenario."""

from typing import Any

import psycopg
import pytest
from core_sql_support import broken_rules
from core_sql_support.fuzzing import examples
from core_sql_support.replay import Replay
from core_sql_support.scenarios import Scenario, scenarios
from hypothesis import given

# A scenario that fails is shrunk, which takes its time.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@examples(250)
@given(scenario=scenarios())
def test_a_scenario_leaves_the_rows_that_the_model_says(
    conn: psycopg.Connection[Any], scenario: Scenario
):
    replay = Replay(conn)
    try:
        replay.play(scenario)
        assert broken_rules(conn) == []
    finally:
        replay.clean()
