"""Retrieval: documents get embeddings by themselves, and are found by what they mean."""

import asyncio
import re
from typing import Any

import psycopg
from pgflow_cli.database import open_database
from pgflow_client import AsyncClient
from pgflow_core_sql import Migrator
from pgflow_dsl import Context, Flow
from pgflow_worker.testing import running_worker
from psycopg import AsyncConnection
from pydantic import BaseModel
from small_model import embed

TABLES = """
create table if not exists documents (id serial primary key, title text, body text);
create table if not exists passages (
  document_id int, number int, text text, embedding real[], primary key (document_id, number)
);
create or replace trigger embed_document after insert or update on documents
  for each row execute function pgflow.send_rows('embed_document');
create or replace function similarity(a real[], b real[]) returns real
  language sql immutable parallel safe
  return (select sum(x * y) from unnest(a, b) as pair (x, y));
"""
DOCUMENTS = [
    ("Rooms", "Breakfast is served from seven to ten. Pets may stay in rooms on the ground floor."),
    ("Arrival", "The airport bus stops in front of the hotel. A taxi takes twenty minutes."),
    ("Bills", "You can pay by credit card or in cash. Invoices are sent by e-mail on request."),
]
QUESTIONS = ["Can I bring my dog?", "How do I get there by plane?", "Do you take cash or a card?"]


class Document(BaseModel):
    """A row of the table, as the trigger sends it."""

    id: int
    title: str
    body: str


class Passage(BaseModel):
    """A piece of a document that is found by itself."""

    number: int
    text: str


embed_document = Flow("embed_document", input=Document)


@embed_document.step
def cut(document: Document = embed_document.input) -> list[Passage]:
    """Cut a document into sentences; long texts want longer passages that overlap."""
    sentences = re.split(r"(?<=[.!?])\s+", document.body)
    return [Passage(number=number, text=text) for number, text in enumerate(sentences)]


@embed_document.map(over=cut.output)
def embed_passage(passage: Passage) -> list[float]:
    """Work out what a passage means, as a point in space."""
    return embed(passage.text)


@embed_document.step(transactional=True)
async def store(
    ctx: Context,
    document: Document = embed_document.input,
    passages: list[Passage] = cut.output,
    embeddings: list[list[float]] = embed_passage.output,
) -> int:
    """Put all passages of the document in the place of those that it had."""
    conn: AsyncConnection = ctx.connection
    await conn.execute("delete from passages where document_id = %s", [document.id])
    rows = [
        (document.id, passage.number, passage.text, embedding)
        for passage, embedding in zip(passages, embeddings, strict=True)
    ]
    await conn.cursor().executemany("insert into passages values (%s, %s, %s, %s)", rows)
    return len(rows)


def find(conn: psycopg.Connection[Any], question: str) -> str:
    """Return the passage that is closest to a question."""
    query = "select text from passages order by similarity(embedding, %s::real[]) desc limit 1"
    row = conn.execute(query, [embed(question)]).fetchone()
    assert row is not None
    return str(row[0])


async def main() -> None:
    """Insert documents, wait until their runs have ended, and ask."""
    # The database that PGFLOW_DATABASE_URL names, or an embedded one, which goes on running.
    database_url = open_database().url
    Migrator(database_url).migrate()
    async with running_worker([embed_document], database_url), AsyncClient(database_url) as client:
        with psycopg.connect(database_url) as conn:
            conn.execute(TABLES)
            conn.execute("truncate documents, passages")
            conn.cursor().executemany(
                "insert into documents (title, body) values (%s, %s)", DOCUMENTS
            )
        # Nobody started a run: the trigger did, for each row, when that was committed.
        async for summary in client.list_runs(embed_document, status="started"):
            await (await client.get_run(summary.run_id)).wait()
    with psycopg.connect(database_url) as conn:
        for question in QUESTIONS:
            print(f"{question}\n  {find(conn, question)}")


if __name__ == "__main__":
    asyncio.run(main())
