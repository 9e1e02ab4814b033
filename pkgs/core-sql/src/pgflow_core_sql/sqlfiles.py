"""The SQL files that the package ships, in the order in which they are applied."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

_ROOT: Final = files("pgflow_core_sql") / "sql"
_MIGRATION_NAME: Final = re.compile(r"(\d{4})_\w+\.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlFile:
    """One packaged SQL file.

    Attributes:
        name: Path below the package's `sql` folder.
        text: Its contents.
    """

    name: str
    text: str

    @property
    def stem(self) -> str:
        """The name without folders and suffix: of a function or view, its own."""
        return self.name.rpartition("/")[2].removesuffix(".sql")

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration(SqlFile):
    """A numbered file that moves tables.

    Attributes:
        version: Its number, from 1.
    """

    version: int


@cache
def migrations() -> tuple[Migration, ...]:
    """Return the migrations by version."""
    found: list[Migration] = []
    for entry in (_ROOT / "migrations").iterdir():
        if match := _MIGRATION_NAME.fullmatch(entry.name):
            name = f"migrations/{entry.name}"
            found.append(Migration(name=name, text=_read(entry), version=int(match.group(1))))
    return tuple(sorted(found, key=lambda migration: migration.version))


@cache
def functions() -> tuple[SqlFile, ...]:
    """Return the function files, those first whose bodies are bound when they are created.

    A body in `begin atomic` has to find the functions it calls. All of those stand alone or
    call one another in the order of their dependence, which is found here from the texts.
    """
    found = {
        entry.name.removesuffix(".sql"): SqlFile(
            name=f"functions/{family.name}/{entry.name}", text=_read(entry)
        )
        for family in sorted((_ROOT / "functions").iterdir(), key=lambda folder: folder.name)
        if family.is_dir()
        for entry in sorted(family.iterdir(), key=lambda file: file.name)
        if entry.name.endswith(".sql")
    }
    ordered: dict[str, SqlFile] = {}

    def visit(name: str) -> None:
        file = found[name]
        if name in ordered:
            return
        if "begin atomic" in file.text:
            code = re.sub(r"--.*", "", file.text)
            for called in re.findall(r"pgflow\.(\w+)\(", code):
                if called != name and called in found:
                    visit(called)
        ordered[name] = file

    for name in sorted(found, key=lambda name: "begin atomic" not in found[name].text):
        visit(name)
    return tuple(ordered.values())


@cache
def views() -> tuple[SqlFile, ...]:
    """Return the view files, by name."""
    return tuple(
        SqlFile(name=f"views/{entry.name}", text=_read(entry))
        for entry in sorted((_ROOT / "views").iterdir(), key=lambda file: file.name)
        if entry.name.endswith(".sql")
    )


@cache
def grants() -> SqlFile:
    """Return the file of all rights."""
    return SqlFile(name="grants.sql", text=_read(_ROOT / "grants.sql"))


def rewritten() -> tuple[SqlFile, ...]:
    """Return the files that each migrate writes anew, in the order in which they are applied."""
    return (*functions(), *views(), grants())


@cache
def digest_of_rewritten() -> str:
    """Return the SHA-256, in hex, of all that each migrate writes anew."""
    return hashlib.sha256("".join(file.digest for file in rewritten()).encode()).hexdigest()


@cache
def bootstrap() -> SqlFile:
    """Return the file that makes the schema and its table of migrations."""
    return SqlFile(name="bootstrap.sql", text=_read(_ROOT / "bootstrap.sql"))


def _read(entry: Traversable) -> str:
    return entry.read_text(encoding="utf-8")
