"""What a context reaches beyond its own task: the part of it that a worker provides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from pgflow_dsl.errors import ContextUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

__all__ = ["Done", "Surroundings"]


class Done:
    """Awaiting it returns at once."""

    __slots__ = ()

    def __await__(self) -> Generator[object, None, None]:
        yield from ()


class Surroundings:
    """Reaches nothing; workers and tests have others.

    Each method raises `ContextUnavailable` unless it is overridden.
    """

    def resources(self) -> Any:
        """Return what the worker's `lifespan` yielded."""
        self.refuse("resources", "give the worker a lifespan=")

    def connection(self) -> Any:
        """Return the connection of a transactional step."""
        self.refuse("connection", "give the step the option transactional=True")

    def read_flow_input(self) -> Any:
        """Return the flow's input, blocking the thread until it is there."""
        self.refuse("flow_input()", "a worker reads it; a test gives it to make_context")

    async def fetch_flow_input(self) -> Any:
        """Return the flow's input."""
        return self.read_flow_input()

    def emit(self, text: str) -> None:
        """Take an item, as JSON text, and block the thread until there is room for another."""
        self.refuse("emit()", "a worker stores items; a test has them from make_context")

    def emit_soon(self, text: str) -> Awaitable[None]:
        """Take an item, as JSON text; awaiting the answer waits until there is room for another."""
        self.emit(text)
        return Done()

    def refuse(self, what: str, advice: str) -> NoReturn:
        """Say that something is not there.

        Raises:
            ContextUnavailable: Says what, and why or what to do about it.
        """
        raise ContextUnavailable(what, advice)
