"""One task for each element of an array, and a step that takes all results."""

import asyncio

from pgflow_cli.database import open_database
from pgflow_client import AsyncClient
from pgflow_core_sql import Migrator
from pgflow_dsl import Flow
from pgflow_worker.testing import running_worker
from pydantic import BaseModel


class Count(BaseModel):
    """How many words a line has."""

    line: str
    words: int


count_words = Flow("count_words", input=str)


@count_words.step
def split(text: str = count_words.input) -> list[str]:
    """Cut the text into lines."""
    return [line.strip() for line in text.splitlines() if line.strip()]


@count_words.map(over=split.output)
async def count(line: str) -> Count:
    """Count one line; all workers that serve the flow share the lines."""
    return Count(line=line, words=len(line.split()))


@count_words.step
def total(counts: list[Count] = count.output) -> int:
    """Add up, in the order of the lines."""
    return sum(each.words for each in counts)


async def main() -> None:
    """Count the words of a text."""
    # The database that PGFLOW_DATABASE_URL names, or an embedded one, which goes on running.
    database_url = open_database().url
    Migrator(database_url).migrate()
    text = "a line of five words\nand one of four\n\nthree more words"
    async with running_worker([count_words], database_url), AsyncClient(database_url) as client:
        run = await client.start_flow(count_words, text)
        print(f"{await run.result_of(total)} words in all")
        for each in await run.output_of(count):
            print(f"{each.words}: {each.line}")


if __name__ == "__main__":
    asyncio.run(main())
