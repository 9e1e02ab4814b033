"""The pgflow state machine: its SQL, its migrations and the migrator."""

from pgflow_core_sql.errors import (
    MigrationChanged,
    MigrationError,
    MigrationFailed,
    SchemaTooNew,
)
from pgflow_core_sql.migrator import MigrationReport, Migrator, install, install_script
from pgflow_core_sql.pieces import Piece, install_pieces
from pgflow_core_sql.roles import GroupRole, find_roles, roles_script

__all__ = [
    "GroupRole",
    "MigrationChanged",
    "MigrationError",
    "MigrationFailed",
    "MigrationReport",
    "Migrator",
    "Piece",
    "SchemaTooNew",
    "find_roles",
    "install",
    "install_pieces",
    "install_script",
    "roles_script",
]
