"""Jobs in a pg_cron that is the real one, where the machine has it."""

from pathlib import Path

import pgflow_core_sql
import psycopg
import pytest
from core_sql_support import Engine
from pgflow_cli.embedded import all_binaries

from tests.support import throwaway_server
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
        assert pg.value("select cron_deleted from pgflow.cleanup_ensure_workers_logs(0)") >= 0
