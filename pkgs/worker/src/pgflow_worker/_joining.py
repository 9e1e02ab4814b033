"""Carrying the current span into another process."""

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext


def current_headers() -> dict[str, str]:
    """Return the current span as headers, for a handler that runs in another process."""
    from opentelemetry import propagate

    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers


def joined_trace(headers: Mapping[str, str] | None) -> AbstractContextManager[None]:
    """Make the span that headers tell of the current one; without any, do nothing."""
    return nullcontext() if headers is None else _joined(headers)


@contextmanager
def _joined(headers: Mapping[str, str]) -> Generator[None]:
    try:
        from opentelemetry import context, propagate
    except ImportError:
        # Another machine need not have it.
        yield
        return
    token = context.attach(propagate.extract(headers))
    try:
        yield
    finally:
        context.detach(token)
