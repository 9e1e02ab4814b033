"""What many viewers follow is read once: the latest state of each topic, sent to all who follow it.

A viewer that falls behind misses states in between, and never the latest one; so nobody's slow
connection holds anything up, and whoever comes back has it all.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeAlias

import psycopg
from pgflow_client import PgflowError

from pgflow_cli.ui.encoding import describe, to_json

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping

__all__ = ["Hub", "Source"]

logger: Final = logging.getLogger("pgflow.ui")

Source: TypeAlias = "Callable[[], AsyncIterator[Mapping[str, object]]]"
"""Makes an iterator over states of a topic: its sections by name, each with a value."""

# Seconds: how long a topic without viewers is read on, for the next one or for a page that is
# loaded again; the silence after which a viewer is told that all is well; the longest pause after
# an error.
_LINGER: Final = 5.0
_SILENCE: Final = 15.0
_LONGEST_PAUSE: Final = 10.0
_PROBLEM: Final = "problem"


class Hub:
    """Reads topics for as long as somebody follows them."""

    def __init__(self) -> None:
        self._topics: Final[dict[str, _Topic]] = {}
        self._is_closed = False

    async def follow(self, key: str, source: Source) -> AsyncGenerator[str, None]:
        """Follow a topic, as messages of a stream of server-sent events.

        Args:
            key: Names the topic.
            source: Reads it, if nobody follows it yet.
        """
        topic = self._topics.get(key)
        if topic is None or topic.is_over:
            topic = self._topics[key] = _Topic(source, lambda: self._topics.pop(key, None))
        seen = 0
        topic.enter()
        try:
            while not self._is_closed:
                news = topic.news
                if fresh := topic.since(seen):
                    seen = topic.version
                    # All in one, so that no page shows a part of one state and a part of another.
                    yield "data: {" + ",".join(f'"{name}":{text}' for name, text in fresh) + "}\n\n"
                    continue
                try:
                    async with asyncio.timeout(_SILENCE):
                        await news.wait()
                except TimeoutError:
                    yield ": all is well\n\n"
        finally:
            topic.leave()

    def end_streams(self) -> None:
        """Have all streams end, now and from now on."""
        self._is_closed = True
        for topic in self._topics.values():
            topic.tell()

    async def close(self) -> None:
        """End all streams, and read no more."""
        self.end_streams()
        for topic in list(self._topics.values()):
            await topic.close()


class _Topic:
    """The latest state of something that viewers follow.

    Attributes:
        version: Counts the changes.
        news: Set at the next change, and replaced by another then.
        is_over: Whether it is read no more.
    """

    def __init__(self, source: Source, forget: Callable[[], object]) -> None:
        self.version = 0
        self.news = asyncio.Event()
        self.is_over = False
        self._sections: Final[dict[str, tuple[int, str]]] = {}
        self._viewers = 0
        self._source: Final = source
        self._forget: Final = forget
        self._leaving: asyncio.TimerHandle | None = None
        self._reading: Final = asyncio.create_task(self._read())

    def enter(self) -> None:
        self._viewers += 1
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def leave(self) -> None:
        self._viewers -= 1
        if not self._viewers and not self.is_over:
            self._leaving = asyncio.get_running_loop().call_later(_LINGER, self._end)

    async def close(self) -> None:
        self._end()
        with suppress(asyncio.CancelledError):
            await self._reading

    def since(self, version: int) -> list[tuple[str, str]]:
        """Return the sections that have changed since a version."""
        return [
            (name, text) for name, (changed, text) in self._sections.items() if changed > version
        ]

    def _end(self) -> None:
        self.is_over = True
        self._forget()
        self._reading.cancel()
        self.tell()

    def tell(self) -> None:
        """Wake those who wait for a change."""
        news, self.news = self.news, asyncio.Event()
        news.set()

    async def _read(self) -> None:
        pause = 0.5
        while True:
            try:
                async for sections in self._source():
                    pause = 0.5
                    self._take({**sections, _PROBLEM: None})
                return
            except (PgflowError, psycopg.Error) as error:
                self._take({_PROBLEM: describe(error)})
            except Exception as error:
                logger.exception("a page could not be kept up to date")
                self._take({_PROBLEM: describe(error)})
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _take(self, sections: Mapping[str, object]) -> None:
        texts = {name: to_json(value) for name, value in sections.items()}
        changed = {
            name: text
            for name, text in texts.items()
            if self._sections.get(name, (0, ""))[1] != text
        }
        if not changed:
            return
        self.version += 1
        for name, text in changed.items():
            self._sections[name] = (self.version, text)
        self.tell()
