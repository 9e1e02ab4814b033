"""What the contexts of handlers reach: in the worker's process, and in others."""

import asyncio
from collections.abc import Awaitable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pgflow_client.worker_protocol import TaskRow
from pgflow_dsl import AttemptCancelled, Cancellation, Flow, Surroundings
from pgflow_dsl.surroundings import Done

from pgflow_worker._inputs import Inputs
from pgflow_worker._streams import AttemptStream, Room, Streams
from pgflow_worker._transactions import Transactions

# How often a thread that waits for the loop asks whether its attempt still counts, in seconds.
_LOOK: Final = 0.5


@dataclass(slots=True, kw_only=True)
class Reach:
    """What all handlers of a worker have in common.

    Attributes:
        inputs: Reads the inputs of runs.
        streams: Stores what handlers emit.
        transactions: Lends connections to handlers.
        resources: What the worker's lifespan yielded; None before, and without one.
        has_resources: Whether it has yielded.
    """

    inputs: Inputs
    streams: Streams
    transactions: Transactions
    resources: object = None
    has_resources: bool = False


class Nearby(Surroundings):
    """The surroundings of one attempt in the worker's process.

    Args:
        reach: What the worker has.
        flow: The flow of the task.
        row: The claim.
        cancellation: Of the attempt.

    Attributes:
        stream: What the handler emits.
    """

    def __init__(
        self, reach: Reach, flow: Flow[Any], row: TaskRow, cancellation: Cancellation
    ) -> None:
        self.stream: Final = AttemptStream(reach.streams, row, cancellation)
        self._reach: Final = reach
        self._flow: Final = flow
        self._run_id: Final = row.run_id
        self._input = row.flow_input
        self._cancellation: Final = cancellation
        self._loop: Final = asyncio.get_running_loop()
        self._connection: Any = None

    def __reduce__(self) -> tuple[type["Elsewhere"], tuple[Flow[Any], str | None]]:
        return Elsewhere, (self._flow, self._input)

    def resources(self) -> Any:
        """Return what the worker's lifespan yielded."""
        if not self._reach.has_resources:
            return super().resources()
        return self._reach.resources

    def connection(self) -> Any:
        """Return the connection of a transactional step."""
        return self._connection if self._connection is not None else super().connection()

    @contextmanager
    def lending(self, connection: Any) -> Generator[None, None, None]:
        """Have a connection for the handler while the block runs."""
        self._connection = connection
        try:
            yield
        finally:
            self._connection = None

    def read_flow_input(self) -> Any:
        """Return the flow's input, blocking the thread until it is there."""
        return self._flow.load_input(self.read_input_text())

    async def fetch_flow_input(self) -> Any:
        """Return the flow's input."""
        if self._input is None and asyncio.get_running_loop() is not self._loop:
            # A loop that a sync handler runs in its thread.
            reading = asyncio.run_coroutine_threadsafe(self.fetch_input_text(), self._loop)
            text: str = await asyncio.wrap_future(reading)
            return self._flow.load_input(text)
        return self._flow.load_input(await self.fetch_input_text())

    def emit(self, text: str) -> None:
        """Take an item, as JSON text, and block the thread until there is room for another."""
        if not self.stream.put(text):
            self.stream.wait_for_room()

    def emit_soon(self, text: str) -> Awaitable[None]:
        """Take an item, as JSON text; awaiting the answer waits until there is room for another."""
        return Done() if self.stream.put(text) else Room(self.stream)

    async def fetch_input_text(self) -> str:
        """Return the flow's input as JSON text, on the worker's loop."""
        if self._input is None:
            self._input = await self._reach.inputs.of_flow(self._run_id)
        return self._input

    def read_input_text(self) -> str:
        """Return the flow's input as JSON text, blocking the thread.

        Raises:
            AttemptCancelled: The attempt counts no longer, so the loop may be gone, too.
        """
        if self._input is not None:
            return self._input
        reading = asyncio.run_coroutine_threadsafe(self.fetch_input_text(), self._loop)
        while True:
            try:
                return reading.result(_LOOK)
            except TimeoutError:
                if reading.done():
                    raise
            if reason := self._cancellation.reason:
                raise AttemptCancelled(reason)


class Elsewhere(Surroundings):
    """The surroundings of an attempt in another process, which has what was sent along.

    Args:
        flow: The flow of the task.
        flow_input: Its input as JSON text, None where it was not read before.
    """

    def __init__(self, flow: Flow[Any], flow_input: str | None) -> None:
        self._flow: Final = flow
        self._input: Final = flow_input

    def resources(self) -> Any:
        """Say that they stayed behind."""
        self.refuse("resources", "they live in the worker's process, and this is another one")

    def read_flow_input(self) -> Any:
        """Return the flow's input."""
        return self._flow.load_input(self.read_input_text())

    def emit(self, text: str) -> None:
        """Say that there is no way back but for the result."""
        self.refuse("emit()", "from this executor only the result comes back; use the worker's own")

    def read_input_text(self) -> str:
        """Return the flow's input as JSON text."""
        if self._input is None:
            self.refuse("flow_input()", "it was not sent along with the task")
        return self._input
