"""Checks what the artefacts say of themselves, as the index would."""

import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

from tools.releases.commands import ReleaseError, run
from tools.releases.tree import PACKAGES


def check_metadata(artefacts: Path, version: str) -> None:
    """Check all five packages' metadata.

    Args:
        artefacts: The folder that holds them, and nothing else.
        version: The version that they have to carry.

    Raises:
        ReleaseError: An artefact is missing, is one too many, or says something wrong.
    """
    expected = {name for package in PACKAGES for name in file_names(package, version)}
    found = {path.name for path in artefacts.iterdir()}
    if found != expected:
        raise ReleaseError(
            f"{artefacts} has {sorted(found - expected)} too many and lacks "
            f"{sorted(expected - found)}"
        )
    paths = sorted(artefacts.iterdir())
    run([sys.executable, "-m", "twine", "check", "--strict", *paths], folder=artefacts)
    problems = [
        f"{path.name}: {problem}"
        for path in paths
        for problem in _problems(read_metadata(path), version)
    ]
    if problems:
        raise ReleaseError("\n".join(problems))


def file_names(package: str, version: str) -> tuple[str, str]:
    """Give the names of a package's wheel and of its sources."""
    stem = f"{package.replace('-', '_')}-{version}"
    return f"{stem}-py3-none-any.whl", f"{stem}.tar.gz"


def read_metadata(path: Path) -> Message:
    """Read the metadata of a wheel or of built sources."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            [name] = [each for each in wheel.namelist() if each.endswith(".dist-info/METADATA")]
            text = wheel.read(name)
    else:
        with tarfile.open(path) as sources:
            file = sources.extractfile(f"{path.name.removesuffix('.tar.gz')}/PKG-INFO")
            text = file.read() if file else b""
    return Parser().parsestr(text.decode())


def _problems(metadata: Message, version: str) -> list[str]:
    found: list[str] = []
    if metadata["Version"] != version:
        found.append(f"is of version {metadata['Version']}, and not of {version}")
    if not metadata["License-Expression"] or not metadata.get_all("License-File"):
        found.append("carries no license")
    pins = {f"{package}=={version}" for package in PACKAGES}
    loose = [
        need
        for need in metadata.get_all("Requires-Dist") or []
        if need.startswith("pgflow-") and need not in pins
    ]
    if loose:
        found.append(f"needs {', '.join(loose)}, and not exactly its own version")
    return found
