"""Asks a socket whether data has come, without a word to the server."""

from __future__ import annotations

import selectors

__all__ = ["has_data"]


def has_data(socket: int) -> bool:
    """Return whether a socket has data or its end to be read.

    Args:
        socket: Its file descriptor.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(socket, selectors.EVENT_READ)
        return bool(selector.select(0))
