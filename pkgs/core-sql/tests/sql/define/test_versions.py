"""Versions: a flow whose structure changes goes on under its name, beside what it was."""

from typing import Any

import psycopg
import pytest
from core_sql_support import Engine
from core_sql_support.versions import A, B, C, ensure, shape, two_versions
from psycopg.types.json import Jsonb


def slug_of(pg: Engine, run_id: object) -> str:
    return pg.value("select flow_slug from pgflow.runs where run_id = %s", run_id)


def listed(pg: Engine, slug: str | None, **named: Any) -> list[str]:
    page = pg.call("list_runs", slug, **named)
    return [run["run_id"] for run in page["runs"]]


def refused(pg: Engine, function: str, *arguments: object) -> psycopg.errors.Error:
    with pytest.raises(psycopg.errors.Error) as raised:
        pg.call(function, *arguments)
    assert raised.value.diag.message_detail
    return raised.value


def test_new_runs_take_the_new_version_and_runs_under_way_keep_theirs(pg: Engine):
    ensure(pg, shape(A, B))
    old = pg.start("site")
    assert ensure(pg, shape(A, C | {"dependencies": ["a"]})) == {
        "status": "versioned",
        "version": 2,
        "updates": [],
        "differences": ['step b at place 1: slug is "c" in code and "b" in the database'],
    }
    new = pg.start("site")
    assert (slug_of(pg, old), slug_of(pg, new)) == ("site", "site@2")
    pg.serve("site", "site@2")
    pg.drain()
    assert pg.run(old, "output") == {"b": 1}
    assert pg.run(new, "output") == {"c": 1}


def test_a_flow_that_never_changed_has_one_version_of_its_own_name(pg: Engine):
    ensure(pg, shape(A))
    assert ensure(pg, shape(A)) == {"status": "verified", "differences": [], "updates": []}
    assert pg.row(
        "select flow_slug, flow_name, version, current_slug, superseded_at, retired_at"
        " from pgflow.flows"
    ) == ("site", "site", 1, None, None, None)


def test_old_code_finds_its_older_version_and_makes_no_third(pg: Engine):
    two_versions(pg)
    again = shape(A, B, timeout=7)
    assert ensure(pg, again) == {
        "status": "verified",
        "differences": [],
        "updates": ["timeout of the flow is 7 and was 60"],
    }
    assert pg.rows("select flow_slug, opt_timeout from pgflow.flows order by 1") == [
        ("site", 7),
        ("site@2", 60),
    ]
    assert slug_of(pg, pg.start("site")) == "site@2"


def test_versions_go_on_counting(pg: Engine):
    two_versions(pg)
    for version, code in [(3, shape(A, B, C)), (4, shape(B | {"dependencies": []}))]:
        assert ensure(pg, code)["version"] == version
    assert slug_of(pg, pg.start("site")) == "site@4"
    assert pg.column(
        "select version from pgflow.flows where superseded_at is null order by version"
    ) == [4]


def test_without_leave_to_make_one_a_changed_structure_is_refused_beside_the_current_version(
    pg: Engine,
):
    two_versions(pg)
    answer = ensure(pg, shape(A, C | {"dependencies": ["a"]}), make_version=False)
    assert answer["status"] == "mismatch"
    assert answer["differences"] == ["step c is new at place 1"]
    assert pg.value("select count(*) from pgflow.flows") == 2


@pytest.mark.parametrize("code", [shape(A, B), shape(C | {"dependencies": []})], ids=str)
def test_whoever_may_lose_data_gets_one_version_of_the_code(pg: Engine, code: Any):
    two_versions(pg)
    pg.start("site")
    assert ensure(pg, code, allow_data_loss=True)["status"] == "recompiled"
    assert pg.column("select flow_slug from pgflow.flows") == ["site"]
    assert slug_of(pg, pg.start("site")) == "site"
    assert ensure(pg, code, allow_data_loss=True)["status"] == "verified"


@pytest.mark.parametrize("slug", ["site@2", "site@1", "site@x", "site@", "@2", "run@2"])
def test_nobody_can_give_a_flow_the_slug_of_a_version(pg: Engine, slug: str):
    assert not pg.call("is_valid_slug", slug)
    assert refused(pg, "create_flow", slug).sqlstate == "PF004"
    assert refused(pg, "ensure_flow_compiled", slug, Jsonb(shape(A))).sqlstate == "PF004"


def test_options_of_a_version_can_be_changed_by_its_slug(pg: Engine):
    two_versions(pg)
    pg.call("create_flow", "site@2", timeout=5)
    assert pg.rows("select opt_timeout from pgflow.flows order by version") == [(60,), (5,)]


def test_any_version_can_be_started_by_its_slug(pg: Engine):
    two_versions(pg)
    ensure(pg, shape(A, B, C))
    assert slug_of(pg, pg.start("site@2")) == "site@2"
    assert slug_of(pg, pg.start("site@1", idempotency_key="once")) == "site"
    assert slug_of(pg, pg.start("site", idempotency_key="once")) == "site"


@pytest.mark.parametrize(
    ("slug", "code"), [("other@1", "PF001"), ("site@3", "PF001"), ("site@1", "PF016")]
)
def test_a_version_that_is_retired_or_not_there_cannot_be_started(pg: Engine, slug: str, code: str):
    two_versions(pg)
    pg.call("retire_flow_version", "site", 1)
    with pytest.raises(psycopg.errors.Error) as raised:
        pg.start(slug)
    assert raised.value.sqlstate == code


def test_an_idempotency_key_stands_for_its_run_across_versions(pg: Engine):
    ensure(pg, shape(A, B))
    old = pg.start("site", idempotency_key="once")
    ensure(pg, shape(A))
    assert pg.start("site", idempotency_key="once") == old
    assert pg.start("site@2", idempotency_key="once") == old


def test_runs_are_listed_by_the_name_of_their_flow_or_by_version(pg: Engine):
    ensure(pg, shape(A, B))
    first = [str(pg.start("site")) for _ in range(2)]
    ensure(pg, shape(A))
    second = [str(pg.start("site")) for _ in range(2)]
    newest_first = [*reversed(second), *reversed(first)]
    assert listed(pg, "site") == newest_first
    assert listed(pg, "site@1") == newest_first[2:]
    assert listed(pg, "site@2") == newest_first[:2]
    assert listed(pg, "site@3") == listed(pg, "ghost") == []
    assert listed(pg, "site", before=second[0], quantity=1) == [first[1]]
    pg.call("cancel_run", first[0])
    assert listed(pg, "site", status="cancelled") == [first[0]]
    assert listed(pg, "site@2", status="cancelled") == []


def test_runs_are_cancelled_by_the_name_of_their_flow_or_by_version(pg: Engine):
    ensure(pg, shape(A, B))
    old = pg.start("site")
    ensure(pg, shape(A))
    new, newest = pg.start("site"), pg.start("site")
    assert pg.call("cancel_flow_runs", "site@1") == 1
    assert (pg.run(old, "status"), pg.run(new, "status")) == ("cancelled", "started")
    assert pg.call("cancel_flow_runs", "site", None, 1) == 1
    assert pg.run(newest, "status") == "cancelled"
    assert refused(pg, "cancel_flow_runs", "site@3").sqlstate == "PF001"


def test_statistics_of_a_flow_count_all_versions_and_queues_each(pg: Engine):
    ensure(pg, shape(A, B))
    pg.start("site")
    ensure(pg, shape(A))
    pg.start("site")
    assert pg.rows("select flow_slug, started_runs from pgflow.flow_stats") == [("site", 2)]
    assert pg.rows("select flow_slug, ready_tasks from pgflow.queue_depth order by 1") == [
        ("site", 1),
        ("site@2", 1),
    ]


def test_a_policy_of_a_flow_is_one_of_all_its_versions(pg: Engine):
    ensure(pg, shape(A))
    pg.start("site")
    ensure(pg, shape(A, B))
    pg.start("site")
    pg.call("cancel_flow_runs", "site")
    pg.conn.execute("select pgflow.set_retention('0', 'site')")
    assert pg.call("prune_by_policy") == 2
    # Of one version there is none, be it there or not.
    for retention, slug in (("1 day", "site@2"), ("1 day", "site@1"), (None, "site@9")):
        error = refused(pg, "set_retention", retention, slug)
        assert (error.sqlstate, "name it without @" in str(error)) == ("PF015", True)


def test_a_flow_is_deleted_with_all_versions(pg: Engine):
    two_versions(pg)
    pg.start("site")
    for version in ("site@2", "site@1", "ghost@2"):
        assert refused(pg, "delete_flow_and_data", version).sqlstate == "PF015"
    assert pg.value("select count(*) from pgflow.runs") == 1
    pg.call("delete_flow_and_data", "site")
    assert pg.value("select count(*) from pgflow.runs") == 0
    assert pg.value("select count(*) from pgflow.flows") == 0


def test_a_version_with_runs_is_retired_only_with_them(pg: Engine):
    ensure(pg, shape(A, B))
    run_id = pg.start("site")
    ensure(pg, shape(A))
    error = refused(pg, "retire_flow_version", "site", 1)
    assert error.sqlstate == "PF017"
    assert "has 1 run that has not ended" in str(error)
    assert pg.call("retire_flow_version", "site", 1, True) == 1
    assert pg.run(run_id, "status, error_message") == (
        "cancelled",
        "version 1 of flow site was retired",
    )
    assert pg.call("retire_flow_version", "site", 1) == 0
    assert refused(pg, "retry_run", run_id).sqlstate == "PF016"
    assert refused(pg, "restart_run", run_id, "a").sqlstate == "PF016"
    assert slug_of(pg, pg.start("site")) == "site@2"


def test_the_version_that_new_runs_take_is_retired_only_as_the_last(pg: Engine):
    two_versions(pg)
    error = refused(pg, "retire_flow_version", "site", 2)
    assert error.sqlstate == "PF017"
    assert "new runs of flow site take" in str(error)
    pg.call("retire_flow_version", "site", 1)
    pg.call("retire_flow_version", "site", 2)
    for slug in ("site", "site@2"):
        assert refused(pg, "start_flow_with_states", slug, Jsonb({})).sqlstate == "PF016"
    assert ensure(pg, shape(A, B))["status"] == "verified"
    assert ensure(pg, shape(A, B, C))["version"] == 3
    assert slug_of(pg, pg.start("site")) == "site@3"


@pytest.mark.parametrize("version", [1, 2])
def test_new_runs_can_be_had_take_any_version_a_retired_one_too(pg: Engine, version: int):
    two_versions(pg)
    pg.call("use_flow_version", "site", 3 - version)
    pg.call("retire_flow_version", "site", version)
    pg.call("use_flow_version", "site", version)
    assert slug_of(pg, pg.start("site")) == ("site" if version == 1 else "site@2")
    assert pg.column("select version from pgflow.flows where superseded_at is null") == [version]
    assert pg.value("select count(*) from pgflow.flows where retired_at is not null") == 0


@pytest.mark.parametrize("function", ["use_flow_version", "retire_flow_version"])
def test_a_version_that_is_not_there_is_refused(pg: Engine, function: str):
    two_versions(pg)
    assert refused(pg, function, "site", 3).sqlstate == "PF001"
    assert refused(pg, function, "site", None).sqlstate == "PF001"
    assert refused(pg, function, "ghost", 1).sqlstate == "PF001"
    for slug in ("site@2", "site@1"):
        assert refused(pg, function, slug, 1).sqlstate == "PF015"
        assert refused(pg, "get_flow_shape", slug).sqlstate == "PF015"


def test_versions_are_listed_with_what_is_under_way_and_who_serves_them(pg: Engine):
    ensure(pg, shape(A, B))
    for _ in range(2):
        pg.start("site")
    ensure(pg, shape(A))
    pg.serve("site")
    pg.claim(1)
    found = pg.rows(
        "select version_slug, is_current, steps, open_runs, workers"
        " from pgflow.list_flow_versions('site')"
    )
    assert found == [("site@2", True, 1, 0, 0), ("site", False, 2, 2, 1)]
    assert pg.column("select version from pgflow.list_flow_versions('site@2')") == [2]
    assert len(pg.rows("select from pgflow.list_flow_versions()")) == 2
    pg.lose_worker()
    assert pg.column("select workers from pgflow.list_flow_versions()") == [0, 0]


@pytest.mark.parametrize("kind", ["ready", "delayed", "apart", "started"])
def test_a_run_counts_as_open_wherever_its_task_waits(pg: Engine, kind: str):
    ensure(pg, shape(A | ({"options": {"startDelay": 60}} if kind == "delayed" else {})))
    if kind == "apart":
        pg.call("claim_apart", ["site"], ["a"])
    pg.start("site")
    pg.serve("site")
    if kind == "started":
        assert len(pg.claim()) == 1
    assert pg.value("select open_runs from pgflow.list_flow_versions()") == 1


def test_a_worker_function_is_called_for_a_version_that_it_has_not_served_yet(pg: Engine):
    ensure(pg, shape(A, B))
    pg.call("track_worker_function", "remote", ["site"])
    ensure(pg, shape(A))
    wanted = "select function_name from pgflow._functions_to_invoke()"
    assert pg.column(wanted) == []
    pg.start("site")
    assert pg.column(wanted) == ["remote"]


def test_new_runs_go_back_to_an_older_version_for_a_definition_but_not_for_a_worker(pg: Engine):
    def defined(*steps: dict[str, Any]) -> str:
        pg.value("select pgflow.use_flow_shape('site', %s)", Jsonb(shape(*steps)))
        return slug_of(pg, pg.start("site"))

    assert [defined(A, B), defined(A), defined(A, B)] == ["site", "site@2", "site"]
    assert defined(A) == "site@2"
    pg.call("retire_flow_version", "site", 1, True)
    ensure(pg, shape(A, B))
    assert slug_of(pg, pg.start("site")) == "site@2"
    assert defined(A, B) == "site"
    assert pg.column("select retired_at from pgflow.flows") == [None, None]
