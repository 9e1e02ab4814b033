"""What is exported: parts of the core and flows, each with a mark to be found again by."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pgflow_core_sql import install_pieces
from pgflow_dsl import compile_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pgflow_dsl import Flow

__all__ = ["ExportPiece", "core_pieces", "find_mark", "flow_pieces"]

_MARK: Final = re.compile(r"pgflow piece (\S+) ([0-9a-f]{12})$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPiece:
    """Something that becomes one migration.

    Attributes:
        key: What it is, in any version: "core/0003", "core/functions", "flow/greet".
        name: Name for its file: "pgflow_0003_participants", "pgflow_flow_greet".
        digest: Tells two versions apart, in 12 hex digits.
        sql: What it applies.
        is_final: Whether there can be only one version of it.
    """

    key: str
    name: str
    digest: str
    sql: str
    is_final: bool = False

    @property
    def mark(self) -> str:
        """The words in its file that say what it holds."""
        return f"pgflow piece {self.key} {self.digest}"


def core_pieces(first: int = 1, last: int | None = None) -> list[ExportPiece]:
    """Return the parts of the core, one a schema version and one for functions and rights.

    Args:
        first: Schema version to begin with.
        last: Schema version to end with; None is the newest.

    Raises:
        ValueError: There is no such range.
    """
    return [
        ExportPiece(
            key="core/functions" if piece.is_rewritten else f"core/{piece.version:04}",
            name=f"pgflow_{piece.name}",
            digest=piece.digest[:12],
            sql=piece.sql,
            is_final=not piece.is_rewritten,
        )
        for piece in install_pieces(first, last)
    ]


def flow_pieces(flows: Iterable[Flow[Any]]) -> list[ExportPiece]:
    """Return flows, each as one piece."""
    return [_flow(flow.slug, compile_version(flow)) for flow in flows]


def _flow(slug: str, sql: str) -> ExportPiece:
    digest = hashlib.sha256(sql.encode()).hexdigest()[:12]
    return ExportPiece(key=f"flow/{slug}", name=f"pgflow_flow_{slug}", digest=digest, sql=sql)


def find_mark(text: str) -> tuple[str, str] | None:
    """Find the mark in a file: the key of the piece that it holds, and its digest."""
    found = _MARK.search(text)
    return None if found is None else (found[1], found[2])
