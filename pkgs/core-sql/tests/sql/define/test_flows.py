"""create_flow: what a flow inherits to its steps, and what it refuses."""

import psycopg
import pytest
from core_sql_support import Engine

OPTIONS = "opt_max_attempts, opt_base_delay, opt_timeout, opt_max_delay, opt_jitter, opt_backoff"


def options_of(pg: Engine, slug: str) -> tuple[object, ...]:
    return pg.row(f"select {OPTIONS} from pgflow.flows where flow_slug = %s", slug)


def test_a_flow_without_options_has_the_defaults(pg: Engine):
    pg.call("create_flow", "site")
    assert options_of(pg, "site") == (3, 5, 60, 3600, 0, "exponential")


def test_compiling_a_flow_again_brings_its_options_up_to_date(pg: Engine):
    pg.call("create_flow", "site", max_attempts=7, timeout=5)
    pg.call("create_flow", "site", base_delay=0, max_delay=10, jitter=0.5, backoff="fixed")
    assert options_of(pg, "site") == (3, 0, 60, 10, 0.5, "fixed")
    assert pg.value("select count(*) from pgflow.flows") == 1


def test_the_schema_of_the_input_is_kept(pg: Engine):
    pg.call("create_flow", "site", input_schema={"type": "object"})
    assert pg.value("select input_schema from pgflow.flows") == {"type": "object"}


@pytest.mark.parametrize(
    "slug", [None, "", "run", "1st", "with-dash", "with space", "a" * 129, "ümlaut", "a\n", "a;b"]
)
def test_what_is_no_slug_is_refused(pg: Engine, slug: str | None):
    with pytest.raises(psycopg.errors.Error, match="is not a valid flow slug") as refused:
        pg.call("create_flow", slug)
    assert refused.value.sqlstate == "PF004"
    assert "1 to 128 letters" in str(refused.value.diag.message_hint)


@pytest.mark.parametrize("slug", ["a", "_", "Run", "running", "a" * 128, "camelCase_2"])
def test_slugs_tell_upper_from_lower_case_and_may_be_long(pg: Engine, slug: str):
    pg.call("create_flow", slug)
    pg.call("create_flow", slug.swapcase())
    assert pg.call("is_valid_slug", slug) is True


@pytest.mark.parametrize(
    "option",
    [
        {"max_attempts": -1},
        {"base_delay": -1},
        {"timeout": 0},
        {"max_delay": -1},
        {"jitter": -0.1},
        {"jitter": 1.1},
        {"jitter": float("nan")},
        {"backoff": "linear"},
    ],
    ids=str,
)
def test_an_option_out_of_range_is_refused(pg: Engine, option: dict[str, float]):
    with pytest.raises(psycopg.errors.Error, match="out of range") as refused:
        pg.call("create_flow", "site", **option)
    assert refused.value.sqlstate == "PF005"
    assert refused.value.diag.message_detail == "flow_slug=site"
