"""The public names of each package, and the committed lists they are compared with.

`uv run python -m tests.house.public_api` rewrites the lists, so that a change of the public names
shows as a diff.
"""

import importlib
from pathlib import Path

from tests.house.workspace import PACKAGES

LISTS = Path(__file__).parent / "public_api"


def public_names(module: str) -> list[str]:
    """Give a package's public names, sorted; none where it declares none."""
    return sorted(getattr(importlib.import_module(module), "__all__", ()))


def committed_names(module: str) -> list[str]:
    """Read a package's committed list."""
    return (LISTS / f"{module}.txt").read_text().split()


def rewrite_lists() -> None:
    """Make the committed lists what the packages export now."""
    LISTS.mkdir(exist_ok=True)
    for package in PACKAGES:
        names = public_names(package.module)
        (LISTS / f"{package.module}.txt").write_text("".join(f"{name}\n" for name in names))


if __name__ == "__main__":
    rewrite_lists()
