"""Everything with one command: a database, the schemas, a worker process and the application."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import django
import psycopg
import uvicorn
from django.core.management import call_command
from orders.flows import order
from pgflow_cli.database import open_database
from pgflow_core_sql import Migrator
from pgflow_dsl import compile_flow

HERE = Path(__file__).parent


def main() -> None:
    """Serve on the port that PORT names, until it is told to stop."""
    # The one that PGFLOW_DATABASE_URL names, or an embedded PostgreSQL, which goes on running.
    database_url = open_database().url
    Migrator(database_url).migrate()
    # A worker does this when it starts, but orders may come sooner.
    with psycopg.connect(database_url) as conn:
        conn.execute(compile_flow(order).encode())
    os.environ["PGFLOW_DATABASE_URL"] = database_url
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    command = [sys.executable, "-m", "pgflow_cli", "worker", "orders.flows:order"]
    worker = subprocess.Popen(command, cwd=HERE)
    # So that the worker is ended also when this is told to stop.
    signal.signal(signal.SIGTERM, end)
    try:
        port = int(os.environ.get("PORT", "8000"))
        # Pages that are open would hold the server up for ever when it stops.
        uvicorn.run("shop.asgi:application", port=port, lifespan="off", timeout_graceful_shutdown=1)
    finally:
        worker.terminate()
        worker.wait()


def end(*_: object) -> NoReturn:
    """End the process, its worker first."""
    sys.exit()


if __name__ == "__main__":
    main()
