"""Feeding jobs: what starting a flow is in the words of a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pgflow_dsl import Job

    from pgflow_client._async.run import AsyncRun
    from pgflow_client._start_options import StartArguments, StartManyArguments

__all__ = ["AsyncSender"]

I = TypeVar("I")  # noqa: E741 (input; one letter like every type variable)
O = TypeVar("O")  # noqa: E741 (output, likewise)


class AsyncSender:
    """The part of a client that feeds jobs."""

    if TYPE_CHECKING:
        start_flow: Any
        start_flows: Any

    @overload
    async def send(
        self, job: Job[..., Any, None, O], input: None = None, **options: Unpack[StartArguments]
    ) -> AsyncRun[None, O]: ...
    @overload
    async def send(
        self, job: Job[..., Any, I, O], input: I, **options: Unpack[StartArguments]
    ) -> AsyncRun[I, O]: ...
    async def send(
        self, job: Job[..., Any, Any, Any], input: Any = None, **options: Unpack[StartArguments]
    ) -> AsyncRun[Any, Any]:
        """Send one input to a job: `await client.send(greet, "Ada")`.

        Args:
            job: The job.
            input: What its function is to be called with.
            options: As for `start_flow`: `delay`, how long it has to wait; `idempotency_key`, which
                lets it count once, and `key_lifetime`, for how long; `priority`, `tags`, `run_id`.

        Returns:
            The run, whose `result()` is what the function returns. Nobody has to look at it.

        Raises:
            PgflowError: As `start_flow`.
        """
        run: AsyncRun[Any, Any] = await self.start_flow(job, input, **options)
        return run

    async def send_many(
        self,
        job: Job[..., Any, I, O],
        inputs: Iterable[I],
        **options: Unpack[StartManyArguments],
    ) -> list[AsyncRun[I, O]]:
        """Send many inputs to a job in one transaction: all of them, or none.

        Args:
            job: The job.
            inputs: What its function is to be called with, each by itself.
            options: As for `start_flows`: the same as of `send`, with one of `idempotency_keys` and
                `run_ids` for each input.

        Returns:
            The runs, in the order of the inputs.

        Raises:
            PgflowError: As `start_flows`. Nothing was sent.
        """
        runs: list[AsyncRun[I, O]] = await self.start_flows(job, inputs, **options)
        return runs
