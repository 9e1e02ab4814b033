"""One turn of a chatbot: the answer is stored token by token while it is written."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Literal

import httpx
from pgflow_cli.database import open_database
from pgflow_client import AsyncClient
from pgflow_core_sql import Migrator
from pgflow_dsl import Context, Flow, RetryAfter
from pgflow_worker.testing import running_worker
from pydantic import BaseModel
from recorded_chat import recorded_endpoint


class Message(BaseModel):
    """What somebody said."""

    role: Literal["system", "user", "assistant"]
    content: str


class Turn(BaseModel):
    """What was said so far; the last message asks."""

    messages: list[Message]


chatbot = Flow("chatbot", input=Turn, max_attempts=4, timeout=timedelta(minutes=2))


@chatbot.step
def build_prompt(turn: Turn = chatbot.input) -> list[Message]:
    """Keep what fits: the rules, and the last ten messages."""
    return [Message(role="system", content="Answer in one sentence."), *turn.messages[-10:]]


@chatbot.step
async def answer(ctx: Context, prompt: list[Message] = build_prompt.output) -> str:
    """Write the answer. Readers see each token; if it fails halfway they are told to begin anew."""
    written: list[str] = []
    async for token in complete(prompt):
        await ctx.emit(token)
        written.append(token)
    return "".join(written)


@chatbot.step
def remember(turn: Turn = chatbot.input, text: str = answer.output) -> Turn:
    """Return what the next turn begins with."""
    return Turn(messages=[*turn.messages, Message(role="assistant", content=text)])


async def complete(prompt: list[Message]) -> AsyncIterator[str]:
    """Ask a language model, and yield what it writes."""
    body = {
        "model": os.environ.get("OPENAI_MODEL", "gpt-4o-mini"),
        "messages": [message.model_dump() for message in prompt],
        "stream": True,
    }
    headers = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', 'none')}"}
    url = f"{os.environ['OPENAI_BASE_URL']}/chat/completions"
    async with (
        httpx.AsyncClient(timeout=60, headers=headers) as http,
        http.stream("POST", url, json=body) as response,
    ):
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            wait = int(response.headers.get("Retry-After", "5"))
            raise RetryAfter(timedelta(seconds=wait), "the model is busy")
        response.raise_for_status()
        async for line in response.aiter_lines():
            data = line.removeprefix("data: ")
            if data and data != "[DONE]":
                chunk: dict[str, Any] = json.loads(data)
                for choice in chunk["choices"]:
                    if text := choice["delta"].get("content"):
                        yield text


async def main() -> None:
    """Ask two questions, the second about the answer to the first."""
    # The database that PGFLOW_DATABASE_URL names, or an embedded one, which goes on running.
    database_url = open_database().url
    Migrator(database_url).migrate()
    turn = Turn(messages=[])
    with recorded_endpoint():
        async with running_worker([chatbot], database_url), AsyncClient(database_url) as client:
            for question in ("What is a durable workflow?", "And in fewer words?"):
                turn.messages.append(Message(role="user", content=question))
                run = await client.start_flow(chatbot, turn)
                print(f"> {question}")
                async for item in run.stream(answer):
                    if item.is_restart:
                        print("\n(once more)")
                    print(item.value, end="", flush=True)
                print()
                turn = await run.result_of(remember)
    print(f"{len(turn.messages)} messages to remember")


if __name__ == "__main__":
    asyncio.run(main())
