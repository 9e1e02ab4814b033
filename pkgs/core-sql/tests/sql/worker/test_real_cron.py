"""Jobs in a pg_cron that is the real one, where the machine has it."""

from pathlib import Path

import pgflow_core_sql
import psycopg
import pytest
from core_sql_support import Engine, step
from pgflow_cli.embedded import all_binaries

from tests.support import throwaway_server, until
from tests.support.servers import FAST

SETTINGS = FAST | {
    "shared_preload_libraries": "pg_cron",
    "cron.database_name": "postgres",
    "cron.use_background_workers": "on",
}


def binaries_with_cron() -> Path | None:
    for binaries in all_binaries():
        extension = f"/usr/share/postgresql/{binaries.major}/extension/pg_cron.control"
        if binaries.origin == "system" and Path(extension).exists():
            return binaries.path
    return None


@pytest.mark.slow
def test_jobs_are_set_up_in_a_real_pg_cron(monkeypatch: pytest.MonkeyPatch):
    binaries = binaries_with_cron()
    if binaries is None:
        pytest.skip("no PostgreSQL here has pg_cron")
    monkeypatch.setenv("PGFLOW_TEST_PG_BIN", str(binaries))
    with throwaway_server(SETTINGS) as server, psycopg.connect(server.url()) as conn:
        conn.autocommit = True
        pgflow_core_sql.Migrator(conn).migrate()
        pg = Engine(conn)
        conn.execute("create extension pg_cron")
        for _ in range(2):
            pg.call("setup_requeue_stalled_tasks_cron")
        [(name, schedule, command)] = pg.rows("select jobname, schedule, command from cron.job")
        assert name == "pgflow_requeue_stalled_tasks"
        assert schedule in {"15 seconds", "* * * * *"}
        assert pg.value(command) == 0
        pg.call("setup_maintenance")
        assert pg.value("select count(*) from cron.job") == 2
        pg.call("partition_by_month", "0 days")
        pg.call("setup_maintenance")
        keep = pg.value("select command from cron.job where jobname = 'pgflow_partitions'")
        # The first of the three months to come, for the first of the tables.
        assert pg.value(keep).startswith("runs_")
        pg.call("setup_maintenance", done_by="workers")
        assert pg.value("select jobname from cron.job") == name
        pg.flow("site", {"a": step()})
        start = "select pgflow.start_flow('site', '{}', idempotency_key => 'nightly')"
        in_seconds = schedule == "15 seconds"
        every = "1 second" if in_seconds else "* * * * *"
        conn.execute("select cron.schedule('nightly', %s, %s)", (every, start))
        if not in_seconds:
            # Older ones know minutes alone, which is too long to wait.
            conn.execute(pg.value("select command from cron.job where jobname = 'nightly'"))
        until(lambda: pg.value("select count(*) from pgflow.runs") == 1)
        assert pg.claim_one("a").flow == "site"
        assert pg.value("select cron_deleted from pgflow.cleanup_ensure_workers_logs(0)") >= 0
