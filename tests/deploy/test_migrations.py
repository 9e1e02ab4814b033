"""The page about migrations, done: what a tool finds of pgflow by itself."""

from typing import Any

import psycopg
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine

from tests.deploy.pages import blocks


def test_alembic_passes_the_tables_of_pgflow_over_as_the_page_says(
    db: str, conn: psycopg.Connection[Any]
):
    conn.execute("create table public.orders (number int)")
    conn.execute("select pgflow.partition_by_month()")
    [block] = [each for each in blocks("migrations", "python") if "include_name" in each]
    said: dict[str, Any] = {}
    exec(block, said)
    engine = create_engine(db.replace("://", "+psycopg://", 1))
    with engine.connect() as connection:
        found = {}
        for include_name in (None, said["include_name"]):
            context = MigrationContext.configure(
                connection, opts={"include_schemas": True, "include_name": include_name}
            )
            differences: Any = compare_metadata(context, MetaData())
            found[include_name] = {
                thing.name for verb, thing, *_ in differences if verb == "remove_table"
            }
    engine.dispose()
    assert {"orders", "runs", "runs_default"} <= found[None]
    assert found[said["include_name"]] == {"orders"}
