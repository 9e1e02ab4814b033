# Made by tools/make_sync.py from _async/sending.py: edit that file, then run the tool.
# ruff: noqa: SIM117, UP028, RUF100 (what stood apart to be async need not stand apart here)
"""Feeding jobs: what starting a flow is in the words of a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pgflow_dsl import Job

    from pgflow_client._start_options import StartArguments, StartManyArguments
    from pgflow_client._sync.run import Run

__all__ = ["Sender"]

I = TypeVar("I")  # noqa: E741 (input; one letter like every type variable)
O = TypeVar("O")  # noqa: E741 (output, likewise)


class Sender:
    """The part of a client that feeds jobs."""

    if TYPE_CHECKING:
        start_flow: Any
        start_flows: Any

    @overload
    def send(
        self, job: Job[..., Any, None, O], input: None = None, **options: Unpack[StartArguments]
    ) -> Run[None, O]: ...
    @overload
    def send(
        self, job: Job[..., Any, I, O], input: I, **options: Unpack[StartArguments]
    ) -> Run[I, O]: ...
    def send(
        self, job: Job[..., Any, Any, Any], input: Any = None, **options: Unpack[StartArguments]
    ) -> Run[Any, Any]:
        """Send one input to a job: `client.send(greet, "Ada")`.

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
        run: Run[Any, Any] = self.start_flow(job, input, **options)
        return run

    def send_many(
        self,
        job: Job[..., Any, I, O],
        inputs: Iterable[I],
        **options: Unpack[StartManyArguments],
    ) -> list[Run[I, O]]:
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
        runs: list[Run[I, O]] = self.start_flows(job, inputs, **options)
        return runs
