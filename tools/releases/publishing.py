"""Sends what was built and tried to the index, and nothing else."""

from pathlib import Path

from tools.releases.commands import run, uv
from tools.releases.metadata import file_names
from tools.releases.tree import PACKAGES


def publish(artefacts: Path, version: str) -> None:
    """Upload all five packages, each after those that it needs.

    uv reads the token and, where it is another one, the index from its own variables. Where an
    upload was broken off, calling this again goes on: the index knows the files that it has.

    Raises:
        ReleaseError: The index took one of them not.
    """
    for package in PACKAGES:
        paths = [artefacts / name for name in file_names(package, version)]
        print(f"publishing {package} {version}", flush=True)
        run([uv(), "publish", "--quiet", "--no-attestations", *paths], folder=artefacts)
