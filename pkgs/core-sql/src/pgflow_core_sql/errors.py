"""Errors of the migrator.

MigrationError
  ├─ SchemaTooNew       the database was migrated by a newer pgflow
  ├─ MigrationChanged   an applied migration is not the one that this version ships
  └─ MigrationFailed    the server refused a statement
"""

from dataclasses import dataclass


class MigrationError(Exception):
    """The schema could not be brought to this version; nothing was changed."""


@dataclass
class SchemaTooNew(MigrationError):
    """The database was migrated by a newer pgflow than this one.

    Attributes:
        installed: Version of the schema in the database.
        known: Newest version that this package knows.
    """

    installed: int
    known: int

    def __str__(self) -> str:
        return (
            f"the database has pgflow schema version {self.installed}, but this pgflow knows "
            f"only up to version {self.known}: upgrade the pgflow packages"
        )


@dataclass
class MigrationChanged(MigrationError):
    """An applied migration differs from the file that this version ships.

    Attributes:
        name: File name of the migration.
    """

    name: str

    def __str__(self) -> str:
        return (
            f"migration {self.name} was applied from another file than this pgflow ships; "
            "a released migration is never edited, so the database was installed from a "
            "different build: reset it (`pgflow db reset`, if it is the embedded one), or restore "
            "the packages that installed it"
        )


@dataclass
class MigrationFailed(MigrationError):
    """The server refused a statement of the install script.

    Attributes:
        name: File that failed.
        reason: The server's message.
    """

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} could not be applied, nothing was changed: {self.reason}"
