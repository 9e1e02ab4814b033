"""Which of several databases a run belongs to: its id alone tells, and no table is kept of it.

Each name is hashed together with the key, and the highest hash wins. So all who know the names
agree, and a name that is added takes its part from all others, and moves nothing between these.
"""

from __future__ import annotations

import secrets
import time
from hashlib import blake2b
from typing import TYPE_CHECKING
from uuid import UUID

from pgflow_client._functions.versions import name_of

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["by_hash", "id_of", "key_of", "new_run_id"]


def by_hash(names: Collection[str], key: bytes) -> list[str]:
    """Return names in the order in which they are to have a key.

    Args:
        names: The names.
        key: What `id_of` or `key_of` returned.
    """

    def weigh(name: str) -> bytes:
        # The length parts the name from the key: no two pairs are one text.
        text = name.encode()
        return blake2b(len(text).to_bytes(4) + text + key, digest_size=16).digest()

    return sorted(names, key=weigh, reverse=True)


def id_of(run_id: UUID) -> bytes:
    """Return the key that a run is found by."""
    return run_id.bytes


def key_of(flow_slug: str, idempotency_key: str) -> bytes:
    """Return the key of all starts of a flow, in any version, with one idempotency key."""
    # A name has no zero byte in it, and no UUID is as long.
    return f"{name_of(flow_slug)}\0{idempotency_key}".encode().ljust(17, b"\0")


def new_run_id(names: Collection[str], wanted: Collection[str]) -> UUID:
    """Make the id of a run that belongs to one of the wanted names.

    It is a UUIDv7 like those that the database makes, so runs are listed by time wherever their ids
    were made.

    Args:
        names: All names.
        wanted: Some of them, one at least.
    """
    while True:
        milliseconds, microseconds = divmod(time.time_ns() // 1000, 1000)
        run_id = UUID(
            int=milliseconds << 80
            | 0x7 << 76
            | (microseconds * 4096 // 1000) << 64
            | 0b10 << 62
            | secrets.randbits(62)
        )
        if by_hash(names, id_of(run_id))[0] in wanted:
            return run_id
