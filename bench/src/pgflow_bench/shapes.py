"""Deep and wide runs, carried to their end by calls of the SQL functions alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
from pgflow_core_sql import Migrator

Steps = dict[str, list[str]]
"""The dependencies of each step, by its slug."""

WIDTH: Final = 12
_SLUG: Final = "bench_shape"
# As many as a worker asks for at once.
_CLAIMED_AT_ONCE: Final = 100


def chain(size: int) -> Steps:
    """Return so many steps, one after the other."""
    return {f"s{n}": [f"s{n - 1}"] * (n > 0) for n in range(size)}


def lattice(size: int) -> Steps:
    """Return layers of ten steps, each of which depends on three of the layer before it."""
    return {
        f"s{n}": sorted({f"s{n // 10 * 10 - 10 + (n + k) % 10}" for k in (0, 1, 3)}) * (n > 9)
        for n in range(size)
    }


def layers(size: int) -> Steps:
    """Return layers of twelve steps below one, each depending on all of the layer before it."""
    below = {
        f"s{n}": [f"s{n // WIDTH * WIDTH - WIDTH + k}" for k in range(WIDTH)]
        if n >= WIDTH
        else ["top"]
        for n in range(size)
    }
    return {"top": [], **below}


def define(url: str, steps: Steps, **options: Any) -> None:
    """Install the schema, and a flow of these steps; options are those of each, or of "top"."""
    Migrator(url).migrate()
    names = "".join(f", {name} => %s" for name in options)
    with psycopg.connect(url) as conn:
        conn.execute("select pgflow.create_flow(%s)", (_SLUG,))
        for slug, deps in steps.items():
            is_told = slug == "top" or "top" not in steps
            conn.execute(
                f"select pgflow.add_step(%s, %s, %s{names if is_told else ''})".encode(),
                (_SLUG, slug, deps, *(options.values() if is_told else ())),
            )


@contextmanager
def ready(url: str, text: str) -> Iterator[Callable[[], None]]:
    """Give a call that starts the flow with an input and carries the run to its end.

    It has been called once: the first call of a session makes its plans.
    """
    worker_id = uuid4()
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("select pgflow.register_worker(%s, %s)", (worker_id, [_SLUG]))

        def run() -> None:
            _run(conn, worker_id, text)

        run()
        yield run


def _run(conn: psycopg.Connection[Any], worker_id: UUID, text: str) -> None:
    [run_id] = _only(
        conn.execute("select run_id from pgflow.start_flow(%s, %s::jsonb)", (_SLUG, text))
    )
    for tasks in _claims(conn, worker_id):
        run_ids, step_slugs, indexes, attempts = map(list, zip(*tasks, strict=True))
        conn.execute(
            "select count(*) from pgflow.complete_tasks(%s, %s, %s, %s::jsonb[], %s)",
            (run_ids, step_slugs, indexes, ["1"] * len(tasks), attempts),
        )
    [status] = _only(conn.execute("select status from pgflow.runs where run_id = %s", (run_id,)))
    if status != "completed":
        raise RuntimeError(f"the run is {status}")


def _claims(conn: psycopg.Connection[Any], worker_id: UUID) -> Iterator[list[tuple[Any, ...]]]:
    query = (
        "select run_id, step_slug, task_index, attempts_count from pgflow.claim_tasks(%s, %s, %s)"
    )
    while tasks := conn.execute(query, ([_SLUG], _CLAIMED_AT_ONCE, worker_id)).fetchall():
        yield tasks


def _only(cursor: psycopg.Cursor[Any]) -> Any:
    row = cursor.fetchone()
    if row is None:
        raise RuntimeError("the database did not answer")
    return row


SHAPES: Final[dict[str, tuple[Callable[[int], Steps], str, dict[str, Any], int]]] = {
    "maps": (chain, "[]", {"step_type": "map"}, 5),
    "dag": (lattice, "{}", {}, 3),
    "cascade": (
        layers,
        "{}",
        {"required_input_pattern": '{"never": true}', "when_unmet": "skip-cascade"},
        20,
    ),
}
"""How a shape is made of its size, its flow input, the options of its steps, and its repeats."""
