"""Times: a transaction that began before a run still writes times that follow one another."""

from collections.abc import Iterator

import pytest
from core_sql_support import Engine, Session, Task, mapping, sessions, step


@pytest.fixture
def older(pg: Engine, db: str) -> Iterator[Session]:
    """A session whose transaction is older than every run."""
    pg.flow("site", {"a": step(max_attempts=1), "m": mapping("a"), "b": step()})
    pg.flow("skips", {"a": step(max_attempts=1, when_exhausted="skip"), "b": step()})
    with sessions(db, 1, pg.flows) as [session]:
        session.value("select now()")
        yield session


def claim(pg: Engine, older: Session, slug: str) -> Task:
    pg.start(slug)
    return next(task for task in older.claim() if task.step == "a")


# What holds of every run, times included, is checked after each test.


def test_a_failure_does_not_precede_its_start(pg: Engine, older: Session):
    task = claim(pg, older, "site")
    older.fail(task)
    older.commit()
    assert pg.run(task.run_id, "status") == "failed"


def test_a_skip_after_a_failure_does_not_precede_the_start(pg: Engine, older: Session):
    task = claim(pg, older, "skips")
    older.fail(task)
    older.commit()
    assert pg.step(task.run_id, "a") == "skipped"


def test_a_failure_by_an_output_does_not_precede_its_start(pg: Engine, older: Session):
    task = claim(pg, older, "site")
    older.complete((task, "no array"))
    older.commit()
    assert pg.run(task.run_id, "status") == "failed"


def test_a_cancellation_does_not_precede_its_start(pg: Engine, older: Session):
    task = claim(pg, older, "site")
    older.rows("select pgflow.cancel_run(%s)", task.run_id)
    older.commit()
    assert pg.run(task.run_id, "status") == "cancelled"


def test_an_output_does_not_precede_its_start(pg: Engine, older: Session):
    task = claim(pg, older, "site")
    older.complete((task, []))
    older.commit()
    assert pg.step(task.run_id, "m") == "completed"
