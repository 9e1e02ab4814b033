"""Which files of a folder the demo reads, and how their names travel as text."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

# A run reads no more than this many; what a database keeps of it stays within bounds.
MOST_FILES = 50_000

LANGUAGES = {
    ".md": "Markdown",
    ".markdown": "Markdown",
    ".py": "Python",
    ".pyi": "Python",
    ".sql": "SQL",
    ".txt": "Text",
    ".text": "Text",
    ".rst": "Text",
}

# What tools put beside a project's own files. Folders named `*_cache` are left out too.
SKIPPED_FOLDERS = frozenset(
    {
        ".bzr",
        ".cache",
        ".direnv",
        ".eggs",
        ".git",
        ".hg",
        ".hypothesis",
        ".idea",
        ".nox",
        ".pgflow",
        ".svn",
        ".tox",
        ".venv",
        "__pycache__",
        "node_modules",
        "site-packages",
        "venv",
    }
)
VIRTUAL_ENVIRONMENT = "pyvenv.cfg"


def language_of(name: str) -> str | None:
    """Tell a file's language by its name; None for one that the demo does not read."""
    return LANGUAGES.get(Path(name).suffix.lower())


def find_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the files to read: sorted within each folder, files before subfolders.

    Links are not followed, so that no file comes twice and no loop is entered. Folders that
    cannot be read are left out.

    Args:
        folder: Where to look, subfolders included.
    """
    pending = [folder]
    while pending:
        entries = _entries(pending.pop())
        yield from (entry for entry in entries if _is_readable_file(entry))
        subfolders = [entry for entry in entries if _is_own_folder(entry)]
        pending += [Path(entry.path) for entry in reversed(subfolders)]


def to_text(path: Path) -> str:
    """Write a path as text that JSON can hold and `to_path` turns back.

    File names are bytes: those that are not UTF-8 become %XX, and so does the % itself.
    """
    text = os.fspath(path).replace("%", "%25")
    return "".join(
        f"%{ord(char) - 0xDC00:02X}" if "\udc80" <= char <= "\udcff" else char for char in text
    )


def to_path(text: str) -> Path:
    """Turn what `to_text` wrote back into the path."""
    return Path(os.fsdecode(unquote_to_bytes(text)))


def to_show(text: str) -> str:
    """Turn what `to_text` wrote into one line for people, safe to print to a terminal."""
    shown = os.fsencode(to_path(text)).decode(errors="replace")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in shown)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []
    is_environment = any(entry.name == VIRTUAL_ENVIRONMENT for entry in found)
    return [] if is_environment else found


def _is_readable_file(entry: os.DirEntry[str]) -> bool:
    return (
        language_of(entry.name) is not None
        and entry.is_file(follow_symlinks=False)
        and os.access(entry.path, os.R_OK)
    )


def _is_own_folder(entry: os.DirEntry[str]) -> bool:
    return (
        entry.is_dir(follow_symlinks=False)
        and entry.name not in SKIPPED_FOLDERS
        and not entry.name.endswith("_cache")
    )
