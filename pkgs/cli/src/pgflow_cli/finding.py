"""Finding the files in a folder that define flows, without importing the others."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

__all__ = ["flow_files"]

# What a file says that makes flows.
_MARK: Final = re.compile(r"^\s*(from|import)\s+pgflow_dsl\b", re.MULTILINE)
# Folders that hold other people's code, or none that runs by itself.
_PASSED_OVER: Final = frozenset(
    {"__pycache__", "node_modules", "site-packages", "tests", "venv", "build", "dist"}
)


def flow_files(folder: Path) -> list[Path]:
    """Find the Python files below a folder that import what flows are made of, sorted.

    Hidden folders, environments and tests are passed over.
    """
    found: list[Path] = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in _PASSED_OVER
        )
        found += [path for name in sorted(files) if _makes_flows(path := Path(place, name))]
    return found


def _makes_flows(path: Path) -> bool:
    if path.suffix != ".py" or path.name.startswith(("test_", "conftest")):
        return False
    try:
        return _MARK.search(path.read_text(errors="replace")) is not None
    except OSError:
        return False
