"""Runs that go from version to version of random flows, in whatever state they are."""

import random
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from core_sql_support import Engine, broken_rules
from psycopg.types.json import Jsonb

SLUGS = "abcdef"
OUTPUTS: list[Any] = [1, None, [], [1], [1, 2, 3], {"k": 1}]
# What a caller may be told: the step is not there, or what has ended does not fit.
REFUSALS = {"PF003", "PF018"}


def random_step(dice: random.Random, slug: str, earlier: list[str]) -> dict[str, Any]:
    dependencies = sorted(dice.sample(earlier, dice.randint(0, min(2, len(earlier)))))
    step: dict[str, Any] = {"slug": slug, "dependencies": dependencies}
    if len(dependencies) < 2 and dice.random() < 0.4:
        step["stepType"] = "map"
    if dice.random() < 0.4:
        step["whenExhausted"] = dice.choice(["skip", "skip-cascade"])
    if dependencies and dice.random() < 0.3:
        pattern = {dependencies[0]: dice.choice([1, {"k": 1}])}
        step["requiredInputPattern"] = {"defined": True, "value": pattern}
        step["whenUnmet"] = dice.choice(["skip", "skip-cascade"])
    return step


def random_shape(dice: random.Random) -> dict[str, Any]:
    slugs = dice.sample(SLUGS, dice.randint(1, len(SLUGS)))
    return {
        "options": {"maxAttempts": 1},
        "steps": [random_step(dice, slug, slugs[:place]) for place, slug in enumerate(slugs)],
    }


def refusal(pg: Engine, query: str, *arguments: object) -> str | None:
    """Call a function; return the SQLSTATE of its error, None where there is none."""
    try:
        pg.rows(query, *arguments)
    except psycopg.Error as error:
        return error.sqlstate
    return None


def work(pg: Engine, dice: random.Random, most: int) -> None:
    """Report some of what can be claimed, at random, and leave the rest claimed."""
    for _ in range(most):
        for task in pg.claim(dice.randint(1, 4)):
            if dice.random() < 0.2:
                pg.fail(task)
            elif dice.random() < 0.8:
                pg.complete((task, dice.choice(OUTPUTS)))


def move(pg: Engine, dice: random.Random, run_id: UUID, versions: int) -> bool:
    before = pg.rows("select * from pgflow.step_states order by run_id, step_slug")
    restart = "select pgflow.restart_run(%s, %s, %s)"
    refused = refusal(pg, restart, run_id, dice.choice(SLUGS), dice.randint(1, versions))
    if refused is None:
        return True
    assert refused in REFUSALS
    assert pg.rows("select * from pgflow.step_states order by run_id, step_slug") == before
    return False


@pytest.mark.parametrize("seed", range(12))
def test_whatever_a_run_has_done_it_goes_on_as_a_version_or_is_refused(pg: Engine, seed: int):
    dice = random.Random(seed)
    made = 1
    for _ in range(4):
        answer = pg.value(
            "select pgflow.ensure_flow_compiled('site', %s, make_version => true)",
            Jsonb(random_shape(dice)),
        )
        made = answer.get("version", made)
    pg.serve("site", *(f"site@{number}" for number in range(2, made + 1)))
    moved = 0
    for _ in range(10):
        run_id = uuid4()
        slug, value = f"site@{dice.randint(1, made)}", dice.choice([[], [1, 2], {"k": 1}])
        start = "select pgflow.start_flow(%s, %s, %s)"
        if refused := refusal(pg, start, slug, Jsonb(value), run_id):
            assert refused == "PF006"
            continue
        for _ in range(3):
            work(pg, dice, dice.randint(0, 4))
            if dice.random() < 0.2:
                pg.rows("select pgflow.cancel_runs(%s)", [run_id])
            moved += move(pg, dice, run_id, made)
            assert broken_rules(pg.conn) == []
    # Whatever is claimed still is given back, and all goes on to its end.
    pg.lose_worker()
    pg.rows("select pgflow.requeue_stalled_tasks(10000)")
    pg.serve()
    while tasks := pg.claim():
        for task in tasks:
            pg.complete((task, [1]))
    assert broken_rules(pg.conn) == []
    assert pg.value("select count(*) from pgflow.runs where status = 'started'") == 0
    assert moved > 0
