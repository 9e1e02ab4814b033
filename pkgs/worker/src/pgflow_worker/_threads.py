"""Threads for sync handlers that do not hold the process up when it ends."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class HandlerThreads(Executor):
    """Runs calls in daemon threads, which are made as they are needed.

    The standard ThreadPoolExecutor joins its threads when the interpreter exits, so that a handler
    that hangs would keep a stopped worker alive for ever.

    Args:
        count: The most threads at once.
    """

    def __init__(self, count: int) -> None:
        self._count: Final = count
        self._calls: Final[SimpleQueue[Callable[[], None] | None]] = SimpleQueue()
        self._idle: Final = threading.Semaphore(0)
        self._threads = 0
        self._lock: Final = threading.Lock()
        self._is_shut_down = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call a function in a thread.

        Raises:
            RuntimeError: The executor is shut down.
        """
        future: Future[T] = Future()

        def call() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(fn(*args, **kwargs))
                # SystemExit and KeyboardInterrupt are the caller's to judge, too.
                except BaseException as error:
                    future.set_exception(error)

        with self._lock:
            if self._is_shut_down:
                raise RuntimeError("the worker's threads are shut down")
            self._calls.put(call)
            if not self._idle.acquire(blocking=False) and self._threads < self._count:
                self._threads += 1
                name = f"pgflow-handler_{self._threads}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; threads end when they have done what was submitted.

        Args:
            wait: Ignored: no thread is waited for.
            cancel_futures: Whether calls that have not begun are dropped.
        """
        with self._lock:
            self._is_shut_down = True
            while cancel_futures and not self._calls.empty():
                self._calls.get()
            for _ in range(self._threads):
                self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call
            self._idle.release()
