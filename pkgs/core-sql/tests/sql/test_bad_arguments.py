"""Arguments that make no sense: refused with an error of ours, never with one of the server's."""

from typing import Any, Final

import psycopg
import pytest
from core_sql_support import Engine
from core_sql_support.calls import (
    NEEDS_EXTENSION,
    SIGNATURES,
    arguments_of,
    define_site,
    raised,
    sensible,
)

# For every argument of a type: what may be wrong, or is at the edge.
ODD: Final = {
    "integer": ["null", "-1", "0", "'-2147483648'", "2147483647"],
    "bigint": ["null", "-1"],
    "numeric": ["null", "-1", "1e300"],
    "double precision": ["null", "-1", "2", "'nan'", "'infinity'"],
    "boolean": ["null"],
    "text": ["null", "''", "'no such'", "repeat('x', 100000)"],
    "uuid": ["null", "gen_random_uuid()"],
    "jsonb": ["null", "'null'", "'5'", "'[]'", "'{}'", "'[null]'"],
    "interval": ["null", "'0'", "'-1 day'", "'-200000 years'", "'200000 years'"],
    "timestamp with time zone": ["null", "'-infinity'", "'infinity'", "'4000-01-01 BC'"],
}
# Of `claim_tasks` and its like: {queue: tasks}.
ROOMS: Final = [
    *('{"site": "x"}', '{"site": null}', '{"site": 1.5}', '{"site": 1e10}', '{"site.m": [1]}'),
    *('{"site": -1}', '{"site": 0, "site.m": 2}'),
]


@pytest.fixture
def site(pg: Engine) -> Engine:
    return define_site(pg)


def odd_values(name: str, type_name: str) -> list[str]:
    base = type_name.removesuffix("[]")
    odd = [f"({value})::{base}" for value in ODD[base]]
    if name == "room":
        odd += [f"'{room}'::jsonb" for room in ROOMS]
    if base == type_name:
        return odd
    return [f"null::{type_name}", f"'{{}}'::{type_name}", *(f"array[{value}]" for value in odd)]


def is_clear(error: psycopg.Error | None) -> bool:
    """Tell whether nothing is wrong, or what is wrong is said in a sentence without holes."""
    if error is None:
        return True
    message = error.diag.message_primary or ""
    is_ours = (error.sqlstate or "").startswith("PF") and error.diag.message_detail is not None
    return is_ours and "  " not in message and message.strip() == message


def test_no_call_raises_an_error_of_the_server_or_one_with_a_hole(site: Engine):
    known = sensible(site)
    unclear: list[str] = []
    for function, names, types in site.rows(SIGNATURES):
        named = dict(zip(names, types, strict=True))
        arguments = arguments_of(function, names, types, known)
        base = raised(site, function, arguments)
        assert base is None or function in NEEDS_EXTENSION, (function, str(base))
        for name in names:
            for value in odd_values(name, named[name]):
                error = raised(site, function, arguments | {name: value})
                if not is_clear(error):
                    unclear.append(f"{function} {name}={value}: {error}")
    assert unclear == []


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("claim_tasks('{site}', 1, %(worker)s, '[]')", "room is an object"),
        ("claim_tasks('{site}', 1, %(worker)s, '{\"site\": 1.5}')", "room is an object"),
        ("report_and_claim(%(worker)s, '{site}', 1, room => '5')", "room is an object"),
        ("cancel_flow_runs('site', null, -1)", "a quantity is not negative"),
        ("list_runs(quantity => -1)", "a quantity is not negative"),
        ("read_stream(%(worker)s, 'm', quantity => -1)", "a quantity is not negative"),
        ("requeue_stalled_tasks(-1)", "a quantity is not negative"),
        ("calculate_retry_delay(-1, 1)", "a retry delay is computed from"),
        ("calculate_retry_delay(1, -1)", "a retry delay is computed from"),
        ("calculate_retry_delay(1, 1, -1)", "a retry delay is computed from"),
        ("calculate_retry_delay(1, 1, jitter => 1.5)", "a retry delay is computed from"),
        ("calculate_retry_delay(1, 1, backoff => 'none')", "a retry delay is computed from"),
        ("watch_runs(%(worker)s, array[null]::uuid[])", "neither who watches nor a run"),
        ("watch_runs(null, array[%(worker)s]::uuid[])", "neither who watches nor a run"),
        ("wait_for_tasks(%(worker)s, array[null])", "neither the worker that waits nor a flow"),
        ("enter_attempt(%(worker)s, 'm', 0, 1, 0)", "a transaction may be idle for a second"),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused_in_words(
    site: Engine, query: str, problem: str
):
    site.start("site", [1])
    with pytest.raises(psycopg.Error, match=problem) as raised:
        site.conn.execute(f"select * from pgflow.{query}", {"worker": site.worker_id})
    assert raised.value.sqlstate == "PF015"
    assert site.value("select count(*) from pgflow.step_tasks where status = 'queued'") == 1


@pytest.mark.parametrize(("number", "items"), [(0, "[1]"), (None, "[1]"), (1, "5"), (1, None)])
def test_items_that_cannot_be_stored_are_refused_with_all_of_their_call(
    site: Engine, number: int | None, items: str | None
):
    site.start("site", [1, 2])
    tasks = site.claim()
    with pytest.raises(psycopg.Error, match="are a JSON array") as raised:
        site.rows(
            "select * from pgflow.append_to_streams(%s::uuid[], '{m,m}', '{0,1}', '{1,1}', %s,"
            " %s::jsonb[])",
            [task.run_id for task in tasks],
            [1, number],
            ["[1]", items],
        )
    assert (raised.value.sqlstate, raised.value.diag.message_detail) == ("PF015", "index=1")
    assert site.value("select count(*) from pgflow.stream_items") == 0


def test_a_null_among_run_ids_is_refused_and_starts_nothing(site: Engine):
    with pytest.raises(psycopg.Error, match="a run id is NULL") as raised:
        site.start_many("site", [[1], [2]], run_ids=[site.worker_id, None])
    assert raised.value.sqlstate == "PF013"
    assert site.value("select count(*) from pgflow.runs") == 0


def test_less_room_than_none_is_none(site: Engine):
    site.start("site", [1])
    claim = "select * from pgflow.claim_tasks('{site}', 1, %s, %s)"
    assert site.rows(claim, site.worker_id, '{"site": -1}') == []
    assert len(site.rows(claim, site.worker_id, '{"site": 1}')) == 1


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("cancel_run(null)", "run NULL does not exist"),
        ("restart_run(null, 'm')", "run NULL does not exist"),
        ("start_flow(null, '1')", "flow NULL does not exist"),
        ("start_flow('', '1')", "flow '' does not exist"),
        ("heartbeat(null)", "worker NULL is not registered"),
    ],
)
def test_an_id_that_is_missing_is_seen_in_the_message(site: Engine, query: str, message: str):
    with pytest.raises(psycopg.Error) as raised:
        site.rows(f"select * from pgflow.{query}")
    assert raised.value.diag.message_primary == message


def test_a_timeout_beyond_what_the_server_counts_is_the_longest_it_can(site: Engine):
    site.start("site", [1])
    task = site.claim_one()
    with site.conn.transaction():
        entered: Any = site.call("enter_attempt", task.run_id, "m", 0, 1, 2**31 - 1)
        assert entered == []
        assert site.value("show idle_in_transaction_session_timeout") == "2147483s"


@pytest.mark.parametrize(
    "arguments",
    [
        {"run_ids": "array[[gen_random_uuid()], [gen_random_uuid()]]"},
        {"idempotency_keys": "array[['a', 'b']]"},
    ],
    ids=str,
)
def test_arrays_of_arrays_start_nothing(site: Engine, arguments: dict[str, str]):
    given = {"flow_slug": "'site'", "inputs": "array['[]', '[]']::jsonb[]"} | arguments
    error = raised(site, "start_flows", given)
    assert error is not None
    assert error.sqlstate == "PF008"
    assert is_clear(error)
