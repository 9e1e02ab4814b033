"""What several of the worker's tests share."""

from typing import Any

import psycopg
import pytest

from pkgs.worker.tests.paying import open_books


@pytest.fixture
def books(conn: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    open_books(conn)
    return conn
