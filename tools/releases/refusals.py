"""Why a tree cannot be released."""

import os
from pathlib import Path
from typing import Final

from tools.releases.commands import run
from tools.releases.tree import read_version, released_versions

TOKEN: Final = "UV_PUBLISH_TOKEN"
_SHOWN: Final = 5


def refusals(root: Path, *, is_published: bool) -> list[str]:
    """List all that stands against a release of a tree.

    Args:
        root: The tree.
        is_published: Whether the release is to be published, and not only tried.

    Returns:
        A sentence for each reason, with what to do about it; none if it can be released.
    """
    found = [*_against_the_tree(root), *_against_the_changelog(root)]
    if is_published and not os.environ.get(TOKEN, "").strip():
        found.append(f"--publish needs the index's token in {TOKEN}.")
    return found


def _against_the_tree(root: Path) -> list[str]:
    found: list[str] = []
    changed = run(["git", "status", "--porcelain"], folder=root).splitlines()
    if changed:
        found.append(f"The tree has changes that are not committed: {_some(changed)}.")
    tag = f"v{read_version(root)}"
    if tag not in run(["git", "tag", "--points-at", "HEAD"], folder=root).split():
        found.append(
            f"The commit that is checked out is not tagged {tag}: tag it, or check out the tag."
        )
    return found


def _against_the_changelog(root: Path) -> list[str]:
    found: list[str] = []
    version = read_version(root)
    names = sorted(path.name for path in (root / "changelog.d").iterdir())
    fragments = [name for name in names if name != "README.md"]
    if fragments:
        found.append(
            f"changelog.d/ still has {_some(fragments)}: "
            f"`uv run --group lint towncrier build --version {version}` moves them to CHANGELOG.md."
        )
    if released_versions(root)[:1] != [version]:
        found.append(f"The newest section of CHANGELOG.md is not that of {version}.")
    return found


def _some(names: list[str]) -> str:
    shown = ", ".join(name.strip() for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
