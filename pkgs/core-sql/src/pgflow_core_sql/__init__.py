"""The pgflow state machine: its SQL, its migrations and the migrator."""

from pgflow_core_sql.errors import (
    MigrationChanged,
    MigrationError,
    MigrationFailed,
    SchemaTooNew,
)
from pgflow_core_sql.migrator import MigrationReport, Migrator, install, install_script

__all__ = [
    "MigrationChanged",
    "MigrationError",
    "MigrationFailed",
    "MigrationReport",
    "Migrator",
    "SchemaTooNew",
    "install",
    "install_script",
]
