"""Workers: registering, beating, draining and stopping."""

from uuid import uuid4

import psycopg
import pytest
from core_sql_support import Engine


def test_a_worker_registers_with_what_it_serves(pg: Engine):
    worker = uuid4()
    pg.call("register_worker", worker, ["one", "two"], "host:1", 20)
    row = pg.row(
        "select queue_name, function_name, flow_slugs, lease_seconds, stopped_at"
        " from pgflow.workers where worker_id = %s",
        worker,
    )
    assert row == ("one", "host:1", ["one", "two"], 20, None)


def test_registering_again_takes_the_new_flows_and_counts_as_alive(pg: Engine):
    worker = uuid4()
    pg.call("register_worker", worker, ["one"])
    pg.call("mark_worker_stopped", worker)
    pg.call("register_worker", worker, ["two"])
    assert pg.row("select flow_slugs, stopped_at from pgflow.workers") == (["two"], None)


@pytest.mark.parametrize(
    ("flows", "lease"), [([], 8), (None, 8), (["a", None], 8), (["a"], 0), (["a"], None)]
)
def test_a_worker_without_flows_or_lease_is_refused(
    pg: Engine, flows: list[str | None] | None, lease: int | None
):
    with pytest.raises(psycopg.errors.Error, match="at least one flow") as refused:
        pg.call("register_worker", uuid4(), flows, "", lease)
    assert refused.value.sqlstate == "PF005"


def test_a_heartbeat_tells_whether_people_want_the_worker_gone(pg: Engine):
    pg.serve("one")
    pg.lose_worker()
    assert pg.call("heartbeat", pg.worker_id) is False
    assert pg.value("select last_heartbeat_at > now() - interval '1 minute' from pgflow.workers")
    pg.conn.execute("update pgflow.workers set deprecated_at = now()")
    assert pg.call("heartbeat", pg.worker_id) is True


def test_a_worker_that_is_not_registered_cannot_beat(pg: Engine):
    with pytest.raises(psycopg.errors.Error, match="is not registered") as refused:
        pg.call("heartbeat", uuid4())
    assert refused.value.sqlstate == "PF007"
    assert "register_worker" in str(refused.value.diag.message_hint)


def test_stopping_is_noted_once_and_strangers_may_stop(pg: Engine):
    pg.serve("one")
    pg.call("mark_worker_stopped", pg.worker_id)
    stopped = pg.value("select stopped_at from pgflow.workers")
    pg.call("mark_worker_stopped", pg.worker_id)
    pg.call("mark_worker_stopped", uuid4())
    assert pg.value("select stopped_at from pgflow.workers") == stopped
