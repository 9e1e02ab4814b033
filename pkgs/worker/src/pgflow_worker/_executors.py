"""The executors that sync handlers run in."""

import multiprocessing
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Final

from pgflow_worker._threads import HandlerThreads
from pgflow_worker.options import WorkerOptions
from pgflow_worker.registry import Registry

_MOST_THREADS: Final = 32


class Executors:
    """Threads and processes for handlers, as far as the served flows need them.

    Args:
        registry: The served flows.
        options: How many of each.
    """

    def __init__(self, registry: Registry, options: WorkerOptions) -> None:
        self.by_name: Final[dict[str, Executor]] = {}
        if registry.has_executor("thread"):
            threads = options.threads or min(options.concurrency, _MOST_THREADS)
            self.by_name["thread"] = HandlerThreads(threads)
        if registry.has_executor("process"):
            # Not forked: a child would inherit locks and connections in the middle of their use.
            self.by_name["process"] = ProcessPoolExecutor(
                options.processes, mp_context=multiprocessing.get_context("spawn")
            )

    def shutdown(self) -> None:
        """End the executors without waiting for handlers that go on."""
        for executor in self.by_name.values():
            executor.shutdown(wait=False, cancel_futures=True)
