"""A flow that answers a question word by word."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from pgflow_dsl import Context, Flow
from pydantic import BaseModel


class Question(BaseModel):
    """What somebody wants to know, and how fast the answer is written."""

    text: str
    seconds_a_word: float = 0.15


chat = Flow("chat", input=Question, timeout=timedelta(minutes=5))


@chat.step
async def search(question: Question = chat.input) -> list[str]:
    """Stand for a look into your documents."""
    words = question.text.lower().strip("?!. ").split()
    return sorted({word for word in words if len(word) > 3})


@chat.step
async def answer(
    ctx: Context, question: Question = chat.input, found: list[str] = search.output
) -> str:
    """Write an answer; whoever watches sees each word as it is written."""
    written: list[str] = []
    async for word in write(question, found):
        await ctx.emit(word)
        written.append(word)
    return "".join(written)


async def write(question: Question, found: list[str]) -> AsyncIterator[str]:
    """Stand for a language model."""
    about = ", ".join(found) or "nothing in particular"
    for word in f"You asked about {about}. Nobody knows, but now it is written down.".split():
        await asyncio.sleep(question.seconds_a_word)
        yield f"{word} "
