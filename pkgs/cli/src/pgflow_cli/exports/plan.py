"""Which pieces a folder of migrations has, and the files for those that it has not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pgflow_cli.errors import ExportChanged
from pgflow_cli.exports.piece import find_mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pgflow_cli.exports.piece import ExportPiece
    from pgflow_cli.exports.tools import Tool

__all__ = ["Export", "plan_export", "write_export"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What has to be written, and what is there.

    Attributes:
        files: The migrations to write, in the order in which they are to be applied.
        unchanged: The files that hold the other pieces already.
    """

    files: dict[Path, str]
    unchanged: tuple[Path, ...]


def plan_export(tool: Tool, folder: Path, pieces: Sequence[ExportPiece]) -> Export:
    """Find out what to write into a folder of migrations, and write nothing.

    A piece whose newest version is in the folder is not exported again; of one that has changed,
    the new version comes after all migrations that are there, which are never touched.

    Args:
        tool: The migration tool.
        folder: Its folder of migrations; it need not be there yet.
        pieces: What the database should have.

    Raises:
        ExportChanged: A piece is there that cannot have another version, and has.
        MigrationsUnreadable: What is in the folder cannot be continued.
    """
    there = _exported(tool.migrations(folder))
    missing: list[ExportPiece] = []
    unchanged: list[Path] = []
    for piece in pieces:
        path, digest = there.get(piece.key, (None, None))
        if path is not None and digest == piece.digest:
            unchanged.append(path)
        elif path is not None and piece.is_final:
            raise ExportChanged(path, piece.key)
        else:
            missing.append(piece)
    files = tool.files(folder, missing) if missing else {}
    return Export(files=files, unchanged=tuple(unchanged))


def write_export(export: Export) -> None:
    """Write the migrations, each under another name first: tools see all of a file or nothing."""
    for path, text in export.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.tmp")
        draft.write_bytes(text.encode())
        draft.replace(path)


def _exported(migrations: Iterable[Path]) -> dict[str, tuple[Path, str]]:
    """Return the last version of each piece, by its key."""
    found: dict[str, tuple[Path, str]] = {}
    for path in migrations:
        mark = find_mark(path.read_text(encoding="utf-8"))
        if mark is not None:
            key, digest = mark
            found[key] = (path, digest)
    return found
