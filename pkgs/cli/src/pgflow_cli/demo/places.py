"""Where the demo reads, and where it writes without touching anything of the user's."""

from __future__ import annotations

import contextlib
import os
from datetime import datetime
from pathlib import Path
from typing import Final

from pgflow_dsl import PgflowError

from pgflow_cli.database import CurrentFolderGone, embedded_root
from pgflow_cli.demo.files import find_files, to_show, to_text

# How this module is placed in a clone of the project.
_IN_CLONE: Final = Path("pkgs/cli/src/pgflow_cli/demo/places.py")
_REPORT: Final = "report.md"


class NothingToRead(PgflowError):
    """A folder has no file that the demo reads.

    Attributes:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder

    def __str__(self) -> str:
        return (
            f"there are no text, Markdown, Python or SQL files in {_named(self.folder)}; "
            "name another folder: `pgflow demo FOLDER`"
        )


class ReportUnwritable(PgflowError):
    """The report cannot be written where it was asked for.

    Attributes:
        path: Where.
        reason: Why not.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"the report cannot be written to {show(self.path)}: {self.reason}"


def current_folder() -> Path:
    """Return the current folder.

    Raises:
        CurrentFolderGone: It was deleted.
    """
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise CurrentFolderGone from None


def choose_folder(given: Path | None) -> Path:
    """Choose the folder to read, as an absolute path.

    Args:
        given: The one that was asked for. None: the whole project, for a user who stands in a
            clone of it; else the current folder, or pgflow's own code where that has no files.

    Raises:
        NothingToRead: There is nothing to read in the one that was asked for.
        CurrentFolderGone: The current folder was deleted.
    """
    folder = given.absolute() if given is not None else _default_folder()
    if next(find_files(folder), None) is not None:
        return folder
    if given is not None:
        raise NothingToRead(folder)
    return own_code()


def own_code() -> Path:
    """Return the installed folder of the core, which has files to read for who has none yet."""
    import pgflow_core_sql

    return Path(pgflow_core_sql.__file__).parent


def check_report(path: Path) -> Path:
    """Check where a report is asked for, before anything starts; returns it as an absolute path.

    Raises:
        ReportUnwritable: It, or the picture beside it, would overwrite a file or cannot be made.
    """
    path = path.absolute()
    if path.suffix != ".md":
        raise ReportUnwritable(path, "it is Markdown; give it a name that ends in .md")
    for made in (path, path.with_suffix(".svg")):
        if os.path.lexists(made):
            reason = f"{made.name} is there already, and the demo would overwrite it"
            raise ReportUnwritable(path, reason)
    if not path.parent.is_dir():
        raise ReportUnwritable(path, f"there is no folder {show(path.parent)}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ReportUnwritable(path, f"the folder {show(path.parent)} is not writable")
    return path


def new_report() -> Path:
    """Make a folder of its own for a report, beside the project's embedded database.

    Returns:
        The report's path, absolute; there is nothing at it yet.

    Raises:
        ReportUnwritable: No folder can be made.
    """
    reports = embedded_root().parent / "reports"
    stem = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    try:
        reports.mkdir(parents=True, exist_ok=True)
        if reports.is_symlink():
            raise ReportUnwritable(reports, "it is a link to somewhere else")
        ignore = reports / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
        return _make_folder(reports, stem) / _REPORT
    except OSError as error:
        raise ReportUnwritable(reports, (error.strerror or str(error)).lower()) from error


def show(path: Path) -> str:
    """Write a path for people: relative if it is in the current folder."""
    with contextlib.suppress(ValueError, FileNotFoundError):
        path = path.relative_to(Path.cwd())
    return to_show(to_text(path))


def _named(folder: Path) -> str:
    return "the current folder" if folder == current_folder() else show(folder)


def _make_folder(reports: Path, stem: str) -> Path:
    # Two demos may start in the same second.
    number = 1
    while True:
        folder = reports / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


def _default_folder() -> Path:
    current = current_folder()
    here = Path(__file__).resolve()
    clone = here.parents[len(_IN_CLONE.parts) - 1]
    is_clone = clone / _IN_CLONE == here and (clone / "pyproject.toml").exists()
    return clone if is_clone and current.resolve().is_relative_to(clone) else current
