"""A PostgreSQL server that comes with pgflow: found, made, started and shared by itself."""

from pgflow_cli.embedded.binaries import Binaries, all_binaries, find_binaries
from pgflow_cli.embedded.errors import (
    AccountMissing,
    BinariesMissing,
    BinariesUnusable,
    EmbeddedError,
    FolderUnusable,
    InitFailed,
    LockTimeout,
    NotRunning,
    PlatformUnsupported,
    PortInUse,
    PsqlMissing,
    StartFailed,
    StartTimeout,
    StopTimeout,
    TcpUnavailable,
    VersionMismatch,
)
from pgflow_cli.embedded.server import EmbeddedServer

__all__ = [
    "AccountMissing",
    "Binaries",
    "BinariesMissing",
    "BinariesUnusable",
    "EmbeddedError",
    "EmbeddedServer",
    "FolderUnusable",
    "InitFailed",
    "LockTimeout",
    "NotRunning",
    "PlatformUnsupported",
    "PortInUse",
    "PsqlMissing",
    "StartFailed",
    "StartTimeout",
    "StopTimeout",
    "TcpUnavailable",
    "VersionMismatch",
    "all_binaries",
    "find_binaries",
]
