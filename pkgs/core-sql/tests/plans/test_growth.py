"""Deep and wide runs come to their end, and what they cost grows as they do: no faster.

Counted in rows and pages, before any statistics were gathered: a flow runs right after it was
compiled.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import psycopg
import pytest
from core_sql_support import Engine, counted, mapping, step

SMALL: Final = 125
FACTOR: Final = 8
MOST_ROWS: Final = 1.1 * FACTOR
# Indexes get deeper, and rows that are written twice move to other pages.
MOST_PAGES: Final = 1.8 * FACTOR

T = TypeVar("T")
Steps = dict[str, dict[str, Any]]


def chain(size: int, **options: Any) -> Steps:
    return {f"s{n}": step(*[f"s{n - 1}"] * (n > 0), **options) for n in range(size)}


def chain_of_maps(size: int) -> Steps:
    return {f"s{n}": mapping(*[f"s{n - 1}"] * (n > 0)) for n in range(size)}


def fan(size: int) -> Steps:
    """One step, many that depend on it, and one that depends on them all."""
    middle = {f"m{n}": step("first") for n in range(size)}
    return {"first": step(), **middle, "last": step(*middle)}


def lattice(size: int) -> Steps:
    """Layers of ten, each step depending on three of the layer before it."""
    return {
        f"s{n}": step(
            *sorted({f"s{n // 10 * 10 - 10 + (n + k) % 10}" for k in (0, 1, 3)}) * (n > 9)
        )
        for n in range(size)
    }


def cascade(size: int) -> Steps:
    """Layers of five that depend on all of the layer before, below a step that is skipped."""
    top = step(required_input_pattern={"never": True}, when_unmet="skip-cascade")
    layers = {
        f"s{n}": step(*([f"s{n // 5 * 5 - 5 + k}" for k in range(5)] if n > 4 else ["top"]))
        for n in range(size)
    }
    return {"top": top, **layers}


class Meter:
    """Adds up what calls cost, each in a transaction of its own."""

    def __init__(self, pg: Engine) -> None:
        self.pg = pg
        self.rows = 0
        self.pages = 0

    def __call__(self, call: Callable[[], T]) -> T:
        with self.pg.conn.transaction(), counted(self.pg) as work:
            before = self._touched()
            result = call()
            self.pages += self._touched() - before
        self.rows += work.total()
        return result

    def _touched(self) -> int:
        """Count pages of tables and indexes that this transaction has looked at."""
        query = "select sum(pg_stat_get_xact_blocks_fetched(oid))::int from pg_class"
        return self.pg.value(f"{query} where relnamespace = 'pgflow'::regnamespace")


def work_of(conn: psycopg.Connection[Any], slug: str, steps: Steps, value: Any) -> Meter:
    """Run a flow to its end, and give what that cost."""
    pg = Engine(conn)
    pg.flow(slug, steps)
    meter = Meter(pg)
    run_id = meter(lambda: pg.start(slug, value))
    while tasks := meter(lambda: pg.claim(100, [slug])):
        assert meter(lambda: pg.complete(*[(task, 1) for task in tasks])) == []
    assert pg.run(run_id, "status, remaining_steps") == ("completed", 0)
    return meter


SHAPES: Final[dict[str, tuple[Callable[[int], Steps], Callable[[int], Any]]]] = {
    "a chain": (chain, lambda size: {}),
    "a chain of empty maps": (chain_of_maps, lambda size: []),
    "a fan": (fan, lambda size: {}),
    "a lattice": (lattice, lambda size: {}),
    "a cascade of skips": (cascade, lambda size: {}),
    "a map": (lambda size: {"m": mapping(), "n": mapping("m")}, lambda size: [1] * size * 10),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_work_for_a_run_grows_as_the_run_does(conn: psycopg.Connection[Any], name: str):
    steps_of, value_of = SHAPES[name]
    # The first call of a session reads catalogs.
    work_of(conn, "first", steps_of(5), value_of(5))
    small = work_of(conn, "small", steps_of(SMALL), value_of(SMALL))
    large = work_of(conn, "large", steps_of(FACTOR * SMALL), value_of(FACTOR * SMALL))
    assert large.rows / small.rows < MOST_ROWS, (small.rows, large.rows)
    assert large.pages / small.pages < MOST_PAGES, (small.pages, large.pages)
