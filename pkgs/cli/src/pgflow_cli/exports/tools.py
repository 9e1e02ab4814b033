"""The migration tools: what their folders look like, and how they number what comes next."""

from __future__ import annotations

import re
import tomllib
from abc import ABC, abstractmethod
from configparser import ConfigParser, Error
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from pgflow_cli.errors import MigrationsUnreadable
from pgflow_cli.exports.python_files import AlembicFiles, DjangoFiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pgflow_cli.exports.piece import ExportPiece

__all__ = ["TOOLS", "Tool"]

_NUMBER: Final = re.compile(r"(\d+)_.*\.sql")
_STAMP: Final = "%Y%m%d%H%M%S"
_NOTHING_DOWN: Final = (
    "-- Nothing is taken back: runs may need it, and to apply it again changes nothing."
)


class Tool(ABC):
    """A migration tool.

    Attributes:
        title: What people call it.
        why_no_folder: What is said where it has no folder of its own, after a sentence on that.
    """

    title: ClassVar[str]
    why_no_folder: ClassVar[str] = ""

    @abstractmethod
    def default_folder(self) -> Path | None:
        """Find its folder of migrations from the current folder; None where it could be any."""

    @abstractmethod
    def migrations(self, folder: Path) -> list[Path]:
        """Return the migrations of a folder, in the order in which they are applied."""

    @abstractmethod
    def files(self, folder: Path, pieces: Sequence[ExportPiece]) -> dict[Path, str]:
        """Return migrations of the pieces, which come after all that the folder has."""


class PlainSql(Tool):
    """SQL files that are numbered one after another, for `psql` and whoever reads such files."""

    title = "plain SQL"

    def default_folder(self) -> Path | None:
        """Return None: they may be anywhere."""
        return None

    def migrations(self, folder: Path) -> list[Path]:
        """Return the SQL files by their number."""
        return [path for _, path in sorted(_numbered(folder))]

    def files(self, folder: Path, pieces: Sequence[ExportPiece]) -> dict[Path, str]:
        """Number the pieces on from the last file, with as many digits."""
        there = sorted(_numbered(folder))
        last = there[-1][0] if there else 0
        digits = max((len(path.name.partition("_")[0]) for _, path in there), default=4)
        return {
            folder / f"{number:0{digits}}_{piece.name}.sql": self._text(piece)
            for number, piece in enumerate(pieces, last + 1)
        }

    def _text(self, piece: ExportPiece) -> str:
        return f"-- {piece.mark}\n{piece.sql}"


class Supabase(PlainSql):
    """SQL files that begin with the time at which they were made."""

    title = "Supabase"
    folder: ClassVar[str] = "supabase/migrations"

    def default_folder(self) -> Path | None:
        """Return where the tool itself puts migrations."""
        return Path(self.folder)

    def files(self, folder: Path, pieces: Sequence[ExportPiece]) -> dict[Path, str]:
        """Stamp the pieces with times from now on, and after the last one that is there."""
        stamp = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
        last, path = max(_numbered(folder), default=(0, folder))
        if last >= int(f"{stamp:{_STAMP}}"):
            try:
                stamp = datetime.strptime(str(last), _STAMP) + timedelta(seconds=1)
            except ValueError:
                reason = "begins with no time, and nothing can come after it"
                raise MigrationsUnreadable(path, reason) from None
        return {
            folder / f"{stamp + timedelta(seconds=place):{_STAMP}}_{piece.name}.sql": (
                self._text(piece)
            )
            for place, piece in enumerate(pieces)
        }


class Dbmate(Supabase):
    """SQL files with a part for up and a part for down."""

    title = "dbmate"
    folder = "db/migrations"

    def _text(self, piece: ExportPiece) -> str:
        return f"-- migrate:up\n-- {piece.mark}\n{piece.sql}\n-- migrate:down\n{_NOTHING_DOWN}\n"


class Alembic(AlembicFiles, Tool):
    """Python files, each of which names the one before it."""

    title = "Alembic"
    why_no_folder: ClassVar[str] = (
        ": no alembic.ini or pyproject.toml in this folder has a folder as its script_location"
    )

    def default_folder(self) -> Path | None:
        """Read from the configuration where the scripts are; None where there is none."""
        try:
            location = _of_alembic_ini() or _of_pyproject()
        except (Error, ValueError):
            return None
        # A package's resource is no folder.
        return None if not location or ":" in location else Path(location) / "versions"


class Django(DjangoFiles, Tool):
    """Python files with operations, each of which names those it comes after."""

    title = "Django"

    def default_folder(self) -> Path | None:
        """Return None: each app has its own."""
        return None


def _of_alembic_ini() -> str | None:
    config = ConfigParser(defaults={"here": str(Path())})
    config.read("alembic.ini", encoding="utf-8")
    return config.get("alembic", "script_location", fallback=None)


def _of_pyproject() -> str | None:
    path = Path("pyproject.toml")
    tools = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}) if path.exists() else {}
    location = tools.get("alembic", {}).get("script_location")
    return location.replace("%(here)s", ".") if isinstance(location, str) else None


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    paths = folder.iterdir() if folder.is_dir() else ()
    found = ((_NUMBER.fullmatch(path.name), path) for path in paths)
    return [(int(match[1]), path) for match, path in found if match]


TOOLS: Final[dict[str, Tool]] = {
    "sql": PlainSql(),
    "supabase": Supabase(),
    "alembic": Alembic(),
    "django": Django(),
    "dbmate": Dbmate(),
}
