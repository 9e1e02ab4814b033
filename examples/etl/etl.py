"""Extract, transform and load: each batch is loaded exactly once, whatever fails on the way."""

import asyncio
import csv
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
from pgflow_cli.database import open_database
from pgflow_client import AsyncClient
from pgflow_core_sql import Migrator
from pgflow_dsl import Context, Flow
from pgflow_worker.testing import running_worker
from psycopg import AsyncConnection
from pydantic import BaseModel

FOLDER = Path(__file__).parent / "data"
TABLES = """
create table if not exists sales (day date, product text, amount numeric);
create table if not exists loads (file text primary key, rows int, amount numeric);
truncate sales, loads;
"""


class Sale(BaseModel):
    """One line of a file."""

    day: date
    product: str
    amount: Decimal


class Batch(BaseModel):
    """The good lines of a file, and how many were not."""

    file: str
    sales: list[Sale]
    refused: int


class Summary(BaseModel):
    """What was loaded, as the database says."""

    rows: int
    amount: Decimal
    refused: int


load_sales = Flow("load_sales", input=str, max_attempts=3, base_delay=timedelta(0))


@load_sales.step
def find_files(pattern: str = load_sales.input) -> list[str]:
    """Find what there is to load."""
    return sorted(path.name for path in FOLDER.glob(pattern))


@load_sales.map(over=find_files.output)
def transform(file: str) -> Batch:
    """Read a file, and leave out lines without an amount."""
    with (FOLDER / file).open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    good = [Sale.model_validate(row) for row in rows if row["amount"]]
    return Batch(file=file, sales=good, refused=len(rows) - len(good))


@load_sales.map(over=transform.output, transactional=True)
async def load(batch: Batch, ctx: Context) -> int:
    """Write a batch: the rows, the note of them and the step's output are one transaction."""
    conn: AsyncConnection = ctx.connection
    rows = [(sale.day, sale.product, sale.amount) for sale in batch.sales]
    await conn.cursor().executemany("insert into sales values (%s, %s, %s)", rows)
    if ctx.attempt == 1 and ctx.task_index == 0:
        # What was written above is undone; the next attempt writes it anew.
        raise ConnectionError("the network is gone, after half of the work")
    amount = sum((sale.amount for sale in batch.sales), Decimal(0))
    await conn.execute("insert into loads values (%s, %s, %s)", (batch.file, len(rows), amount))
    return len(rows)


@load_sales.step(transactional=True, after=[load])
async def reconcile(ctx: Context, batches: list[Batch] = transform.output) -> Summary:
    """Compare what is there with what was noted."""
    conn: AsyncConnection = ctx.connection
    query = """
        select (select count(*) from sales), (select sum(amount) from sales),
          (select sum(amount) from loads)
    """
    row = await (await conn.execute(query)).fetchone()
    assert row is not None
    rows, amount, noted = row
    if amount != noted:
        raise ValueError(f"{amount} is there, but {noted} was noted")
    refused = sum(batch.refused for batch in batches)
    return Summary(rows=rows, amount=amount, refused=refused)


async def main() -> None:
    """Load three files, one of which fails at first."""
    # The database that PGFLOW_DATABASE_URL names, or an embedded one, which goes on running.
    database_url = open_database().url
    Migrator(database_url).migrate()
    with psycopg.connect(database_url) as conn:
        conn.execute(TABLES)
    async with running_worker([load_sales], database_url), AsyncClient(database_url) as client:
        run = await client.start_flow(load_sales, "*.csv")
        summary = await run.result_of(reconcile)
        loaded = await run.output_of(load)
    print(f"rows of each file: {loaded}")
    print(f"{summary.rows} rows, {summary.amount} in all, {summary.refused} refused")


if __name__ == "__main__":
    asyncio.run(main())
