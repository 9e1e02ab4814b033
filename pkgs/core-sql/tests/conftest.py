"""What the tests of the SQL core share: the helpers below `support/`, and an engine at hand."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

# Test folders are no packages (the distribution's name has a hyphen), so the helpers need a path.
sys.path.insert(0, str(Path(__file__).parent / "support"))

from core_sql_support import Engine, broken_rules


@pytest.fixture
def pg(conn: psycopg.Connection[Any]) -> Iterator[Engine]:
    """Calls of a client and of a worker; what holds of every run is checked after the test."""
    engine = Engine(conn)
    yield engine
    conn.rollback()
    assert broken_rules(conn) == []
