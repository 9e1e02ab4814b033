"""Everything with one command: a database, pgflow's schema, the application and its worker."""

import os

import uvicorn
from app import create_app
from pgflow_cli.database import open_database
from pgflow_core_sql import Migrator


def main() -> None:
    """Serve on the port that PORT names, until it is told to stop."""
    # The one that PGFLOW_DATABASE_URL names, or an embedded PostgreSQL, which goes on running.
    database_url = open_database().url
    Migrator(database_url).migrate()
    port = int(os.environ.get("PORT", "8000"))
    # Pages that are open would hold the server up for ever when it stops.
    uvicorn.run(create_app(database_url), port=port, timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main()
