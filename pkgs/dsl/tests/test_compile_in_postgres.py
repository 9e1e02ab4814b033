"""The SQL of a flow in PostgreSQL: it runs, runs again, and defines what the shape says."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pgflow_dsl import Flow, compile_flow, compile_version
from psycopg.types.json import Jsonb
from pydantic import BaseModel, Field

YOUNGER = "it was made after the version of this code, and no worker serves versions after its own"


class Odd(BaseModel):
    text: str = Field(pattern=r"^\w'\"+$", description="it's $$ odd; \\ -- /* 'quoted' é 😀")


def make_flow(attempts: int = 3) -> Flow[Odd]:
    """Return a flow that uses everything."""
    flow = Flow("odd", input=Odd, max_attempts=attempts, jitter=0.1)

    @flow.step(when={flow: {"text": "it's \\ odd"}}, timeout=timedelta(seconds=5))
    def first(odd: Odd = flow.input) -> list[str]:
        return [odd.text]

    @flow.map(over=first.output, start_delay=timedelta(seconds=1))
    def each(text: str, odd: Odd = flow.input) -> int:
        return len(text)

    @flow.step(after=[first], when_exhausted="skip")
    def last(counts: list[int] = each.output, odd: Odd = flow.input) -> int:
        return sum(counts)

    @flow.step(when={last: 5, flow: {"text": "a"}}, when_not={each: [0]}, when_unmet="fail")
    def end() -> None: ...

    return flow


@pytest.mark.parametrize("standard_strings", ["on", "off"])
def test_compiled_sql_defines_what_the_shape_says(
    conn: psycopg.Connection[Any], standard_strings: str
) -> None:
    flow = make_flow()
    conn.execute("select set_config('standard_conforming_strings', %s, false)", [standard_strings])
    for _ in range(2):
        conn.execute(compile_flow(flow).encode())
    shape = Jsonb(flow.shape())
    row = conn.execute("select pgflow.ensure_flow_compiled('odd', %s)", [shape]).fetchone()
    assert row == ({"status": "verified", "differences": [], "updates": []},)
    stored = conn.execute("select input_schema from pgflow.flows").fetchone()
    assert stored == (flow.input_schema,)


def test_compiling_again_updates_options(conn: psycopg.Connection[Any]) -> None:
    conn.execute(compile_flow(make_flow(attempts=3)).encode())
    conn.execute(compile_flow(make_flow(attempts=4)).encode())
    assert conn.execute("select opt_max_attempts from pgflow.flows").fetchone() == (4,)


@pytest.mark.parametrize("standard_strings", ["on", "off"])
def test_a_compiled_version_is_what_the_shape_says_and_new_runs_take_it_also_an_older_one(
    conn: psycopg.Connection[Any], standard_strings: str
) -> None:
    flow = make_flow()
    conn.execute("select set_config('standard_conforming_strings', %s, false)", [standard_strings])
    earlier = Flow("odd", input=Odd)
    for each in (flow, earlier, flow, flow):
        conn.execute(compile_version(each).encode())
    found = conn.execute(
        "select version_slug, is_own, misfits from pgflow.match_flow_versions('odd', %s)",
        [Jsonb(flow.shape())],
    )
    assert found.fetchall() == [
        ("odd@2", False, [YOUNGER]),
        ("odd", True, []),
    ]
    run = conn.execute("""select flow_slug from pgflow.start_flow('odd', '{"text": ""}')""")
    assert run.fetchone() == ("odd",)
    answer = "select pgflow.ensure_flow_compiled('odd', %s) ->> 'updates'"
    assert conn.execute(answer, [Jsonb(flow.shape())]).fetchone() == ("[]",)
