"""An AI web scraper: fetch a page, summarise and tag it at the same time, publish both."""

import asyncio
import json
import os
import re
from datetime import timedelta
from html import unescape
from http import HTTPStatus
from typing import Any

import httpx
import psycopg
from pgflow_cli.database import open_database
from pgflow_client import AsyncClient
from pgflow_core_sql import Migrator
from pgflow_dsl import Context, FinalError, Flow, RetryAfter
from pgflow_worker.testing import running_worker
from psycopg import AsyncConnection
from pydantic import BaseModel, TypeAdapter
from recorded_web import recorded_web

TABLE = """
create table if not exists pages (
  url text primary key, title text not null, summary text, tags text[] not null
)
"""


class Page(BaseModel):
    """What a page says."""

    url: str
    title: str
    text: str


scrape = Flow("scrape", input=str, max_attempts=4, timeout=timedelta(seconds=90))


@scrape.step
async def fetch(url: str = scrape.input) -> Page:
    """Fetch the page. What is not there now will not be there in a minute."""
    async with httpx.AsyncClient(follow_redirects=True, timeout=30) as http:
        response = await http.get(url)
    if response.status_code in (HTTPStatus.NOT_FOUND, httpx.codes.GONE):
        raise FinalError(f"there is no page at {url}")
    response.raise_for_status()
    title = re.search(r"<title>(.*?)</title>", response.text, re.DOTALL)
    text = re.sub(r"(?s)<(script|style|head).*?</\1>|<[^>]+>", " ", response.text)
    return Page(
        url=url,
        title=unescape(title[1]).strip() if title else url,
        text=" ".join(unescape(text).split()),
    )


@scrape.step(when_exhausted="skip")
async def summarize(page: Page = fetch.output) -> str:
    """Summarise it. A page without a summary is still worth publishing, so this may fail."""
    return await ask("Summarise the text in one sentence.", page.text)


@scrape.step
async def tag(page: Page = fetch.output) -> list[str]:
    """Tag it. An answer that is no JSON array of texts is a failed attempt, and asked for anew."""
    answer = await ask("Answer with a JSON array of at most three one-word tags.", page.text)
    return TypeAdapter(list[str]).validate_json(answer)


@scrape.step(transactional=True)
async def publish(
    ctx: Context,
    page: Page = fetch.output,
    summary: str | None = summarize.output,
    tags: list[str] = tag.output,
) -> str:
    """Write it down, in the transaction that also completes the step."""
    conn: AsyncConnection = ctx.connection
    await conn.execute(
        """
        insert into pages values (%s, %s, %s, %s)
        on conflict (url) do update
        set title = excluded.title, summary = excluded.summary, tags = excluded.tags
        """,
        (page.url, page.title, summary, tags),
    )
    return page.url


async def ask(task: str, text: str) -> str:
    """Ask a language model, by any endpoint that speaks as OpenAI's does."""
    body = {
        "model": os.environ.get("OPENAI_MODEL", "gpt-4o-mini"),
        "messages": [
            {"role": "system", "content": task},
            {"role": "user", "content": text[:20_000]},
        ],
    }
    headers = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', 'none')}"}
    async with httpx.AsyncClient(timeout=60, headers=headers) as http:
        response = await http.post(f"{os.environ['OPENAI_BASE_URL']}/chat/completions", json=body)
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        wait = int(response.headers.get("Retry-After", "5"))
        raise RetryAfter(timedelta(seconds=wait), "the model is busy")
    response.raise_for_status()
    answer: dict[str, Any] = json.loads(response.text)
    return str(answer["choices"][0]["message"]["content"])


async def main() -> None:
    """Scrape a page, and show what was published."""
    # The database that PGFLOW_DATABASE_URL names, or an embedded one, which goes on running.
    database_url = open_database().url
    Migrator(database_url).migrate()
    with psycopg.connect(database_url) as conn:
        conn.execute(TABLE)
    with recorded_web() as url:
        async with running_worker([scrape], database_url), AsyncClient(database_url) as client:
            run = await client.start_flow(scrape, url)
            await run.result_of(publish)
            for step in (await run.progress()).steps:
                print(f"{step.step_slug}: {step.status}")
    with psycopg.connect(database_url) as conn:
        query = "select title, summary, tags from pages where url = %s"
        for title, summary, tags in conn.execute(query, [url]):
            print(f"{title}\n  {summary}\n  {', '.join(tags)}")


if __name__ == "__main__":
    asyncio.run(main())
