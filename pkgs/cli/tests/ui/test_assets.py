"""The page's files: complete, small, as their authors wrote them, and in need of nothing else."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from pgflow_cli.ui.app import ASSETS

SCRIPTS = sorted((ASSETS / "js").rglob("*.js"))
STYLES = sorted((ASSETS / "css").glob("*.css"))
LIBRARIES = json.loads((ASSETS / "vendor" / "libraries.json").read_text())
IMPORT = re.compile(r"""(?:import|export)\s[^;]*?from\s+"([^"]+)";|^import "([^"]+)";""", re.M)


def named(path: Path) -> str:
    return path.relative_to(ASSETS).as_posix()


@pytest.mark.parametrize("script", SCRIPTS, ids=named)
def test_each_script_imports_files_that_are_there(script: Path):
    for found in IMPORT.findall(script.read_text()):
        target = "".join(found)
        assert target.startswith("."), target
        assert (script.parent / target).resolve().is_relative_to(ASSETS)
        assert (script.parent / target).is_file(), target


@pytest.mark.parametrize("file", [*SCRIPTS, *STYLES], ids=named)
def test_files_are_small_and_say_what_they_are_for(file: Path):
    lines = file.read_text().splitlines()
    assert len(lines) <= 400
    assert lines[0].startswith(("// ", "/* "))


@pytest.mark.parametrize("file", [*SCRIPTS, *STYLES, ASSETS / "index.html"], ids=named)
def test_nothing_is_fetched_from_elsewhere_and_nothing_becomes_markup(file: Path):
    text = file.read_text()
    assert not re.search(r"https?://|@import|url\((?!#)", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert not re.search(r"dangerouslySetInnerHTML|new Function|srcdoc|javascript:", text)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library["name"])
def test_libraries_are_as_they_were_taken_and_come_with_their_licence(library: dict[str, object]):
    files = library["files"]
    assert isinstance(files, dict)
    for name, digest in files.items():
        assert hashlib.sha256((ASSETS / "vendor" / name).read_bytes()).hexdigest() == digest, name
    assert any(name.endswith(".LICENSE") for name in files)
    assert library["license"] in {"MIT", "Apache-2.0"}


def test_each_file_of_a_library_is_listed():
    listed = {name for library in LIBRARIES for name in library["files"]} | {"libraries.json"}
    assert {path.name for path in (ASSETS / "vendor").iterdir()} == listed
