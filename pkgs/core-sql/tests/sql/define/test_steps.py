"""add_step: what is recorded of a step, when it may be added again, and what is refused."""

from typing import Any

import psycopg
import pytest
from core_sql_support import Engine, mapping, step


@pytest.fixture
def site(pg: Engine) -> str:
    return pg.flow("site", {"a": step(), "b": step("a")})


def step_of(pg: Engine, slug: str, columns: str) -> Any:
    row = pg.row(f"select {columns} from pgflow.steps where step_slug = %s", slug)
    return row if "," in columns else row[0]


def test_steps_are_numbered_in_the_order_they_are_added(pg: Engine, site: str):
    pg.call("add_step", site, "c", ["b", "a"])
    assert pg.rows("select step_slug, step_index, deps_count from pgflow.steps order by 2") == [
        ("a", 0, 0),
        ("b", 1, 1),
        ("c", 2, 2),
    ]


def test_a_step_added_again_takes_new_options_and_changes_nothing_else(pg: Engine, site: str):
    before = pg.rows("select * from pgflow.deps")
    pg.call("add_step", site, "b", ["a"], timeout=9, start_delay=2, max_attempts=1, jitter=0.25)
    assert step_of(pg, "b", "opt_timeout, opt_start_delay, opt_max_attempts, opt_jitter") == (
        9,
        2,
        1,
        0.25,
    )
    pg.call("add_step", site, "b", ["a"])
    assert step_of(pg, "b", "opt_timeout, opt_start_delay, step_index") == (None, None, 1)
    assert pg.rows("select * from pgflow.deps") == before


def test_a_step_added_again_still_feeds_and_leads_on(pg: Engine):
    pg.flow("site", {"a": step(), "m": mapping("a")})
    pg.call("add_step", "site", "a")
    assert step_of(pg, "a", "is_leaf, feeds_map") == (False, True)


@pytest.mark.parametrize(
    "changed",
    [
        step(),
        step("a", "c"),
        step("c"),
        mapping("a"),
        step("a", when_unmet="fail"),
        step("a", when_exhausted="skip"),
        step("a", required_input_pattern={"a": 1}),
        step("a", forbidden_input_pattern={"a": 1}),
        step(after_slugs=["a"]),
    ],
    ids=str,
)
def test_another_structure_of_an_existing_step_is_refused(
    pg: Engine, site: str, changed: dict[str, Any]
):
    pg.call("add_step", site, "c")
    with pytest.raises(psycopg.errors.Error, match="exists with another structure") as refused:
        pg.call("add_step", site, "b", **changed)
    assert refused.value.sqlstate == "PF005"
    assert "another slug" in str(refused.value.diag.message_hint)
    assert pg.rows("select dep_slug from pgflow.deps where step_slug = 'b'") == [("a",)]


def test_two_steps_that_would_wait_for_each_other_cannot_be_added(pg: Engine, site: str):
    with pytest.raises(psycopg.errors.Error, match="another structure"):
        pg.call("add_step", site, "a", ["b"])


@pytest.mark.parametrize(
    ("arguments", "state", "message"),
    [
        (step("a", "a"), "PF005", "names a dependency twice"),
        (step("a", after_slugs=["a"]), "PF005", "names a dependency twice"),
        (step("new"), "PF005", "or itself"),
        ({"deps_slugs": ["a", None]}, "PF005", "a NULL"),
        (step("ghost"), "PF003", "depends on step ghost, which does not exist"),
        (step(after_slugs=["ghost"]), "PF003", "which does not exist"),
        (step(step_type="loop"), "PF005", "single or map"),
        (step(step_type=None), "PF005", "single or map"),
        (step("a", map_over="a"), "PF005", "only a map has map_over"),
        (mapping("a", "b"), "PF005", "which one it maps over"),
        (mapping("a", map_over="b"), "PF005", "one of deps_slugs"),
        (mapping("a", map_over="b", after_slugs=["b"]), "PF005", "one of deps_slugs"),
        (step(when_unmet="ignore"), "PF005", "when_unmet_is_known"),
        (step(when_exhausted="ignore"), "PF005", "when_exhausted_is_known"),
        (step(when_unmet=None), "PF005", "cannot be defined so"),
        (step(timeout=0), "PF005", "timeout_is_positive"),
        (step(max_attempts=-1), "PF005", "max_attempts"),
        (step(start_delay=-1), "PF005", "start_delay"),
        (step(jitter=2.0), "PF005", "jitter"),
        (step(backoff="linear"), "PF005", "backoff"),
    ],
    ids=str,
)
def test_a_step_that_contradicts_itself_is_refused(
    pg: Engine, site: str, arguments: dict[str, Any], state: str, message: str
):
    with pytest.raises(psycopg.errors.Error, match=message) as refused:
        pg.call("add_step", site, "new", **arguments)
    assert refused.value.sqlstate == state
    assert refused.value.diag.message_detail == "flow_slug=site step_slug=new"
    assert pg.value("select count(*) from pgflow.steps") == 2


@pytest.mark.parametrize("pattern", ["[]", "1", '"text"', "null"])
def test_a_condition_that_is_no_object_is_refused(pg: Engine, site: str, pattern: str):
    with pytest.raises(psycopg.errors.Error, match="pattern_is_an_object") as refused:
        pg.conn.execute(
            "select pgflow.add_step(%s, 'new', required_input_pattern => %s)", (site, pattern)
        )
    assert refused.value.sqlstate == "PF005"


def test_a_step_of_no_flow_is_refused(pg: Engine):
    with pytest.raises(psycopg.errors.Error, match="flow ghost does not exist") as refused:
        pg.call("add_step", "ghost", "a")
    assert refused.value.sqlstate == "PF001"


def test_a_step_with_a_name_that_is_no_slug_is_refused(pg: Engine, site: str):
    with pytest.raises(psycopg.errors.Error, match="not a valid step slug") as refused:
        pg.call("add_step", site, "run")
    assert refused.value.sqlstate == "PF004"


def test_a_map_says_what_it_maps_over(pg: Engine, site: str):
    pg.call("add_step", site, "over_input", step_type="map")
    pg.call("add_step", site, "over_dep", ["a"], step_type="map")
    pg.call("add_step", site, "over_one", ["a", "b"], step_type="map", map_over="b")
    pg.call("add_step", site, "over_run", ["a"], step_type="map", map_over="run")
    over = dict(pg.rows("select step_slug, map_over from pgflow.steps where step_type = 'map'"))
    assert over == {"over_input": "run", "over_dep": "a", "over_one": "b", "over_run": "run"}


def test_only_root_single_steps_take_the_flow_input_unasked(pg: Engine, site: str):
    pg.call("add_step", site, "m", step_type="map")
    pg.call("add_step", site, "asks", ["a"], takes_flow_input=True)
    takes = dict(pg.rows("select step_slug, takes_flow_input from pgflow.steps"))
    assert takes == {"a": True, "b": False, "m": False, "asks": True}
