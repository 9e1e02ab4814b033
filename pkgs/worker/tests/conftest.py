"""What several of the worker's tests share."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from pkgs.worker.tests.paying import open_books


@pytest.fixture
def books(db: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(db, autocommit=True) as conn:
        open_books(conn)
        yield conn
