"""What a package exports is a promise: it changes on purpose, and it is documented."""

import importlib
import inspect

import pytest

from tests.house.public_api import committed_names, public_names
from tests.house.workspace import PACKAGES, Package

every_package = pytest.mark.parametrize("package", PACKAGES, ids=str)


@every_package
def test_a_package_exports_exactly_the_committed_names(package: Package):
    assert public_names(package.module) == committed_names(package.module), (
        "meant? then run: uv run python -m tests.house.public_api"
    )


@every_package
def test_each_package_exports_something_and_says_what_it_is(package: Package):
    assert public_names(package.module)
    assert importlib.import_module(package.module).__doc__


@every_package
def test_each_public_name_has_a_docstring_of_its_own(package: Package):
    module = importlib.import_module(package.module)
    silent = [
        name
        for name in public_names(package.module)
        # An alias of types is callable too, but holds the docstring of `typing`.
        if (inspect.isclass(value := getattr(module, name)) or inspect.isroutine(value))
        and not own_docstring(value)
    ]
    assert silent == []


@every_package
def test_each_public_method_has_a_docstring(package: Package):
    module = importlib.import_module(package.module)
    classes = {
        name: value
        for name in public_names(package.module)
        if inspect.isclass(value := getattr(module, name))
    }
    silent = [
        f"{class_name}.{name}"
        for class_name, value in classes.items()
        for name, member in vars(value).items()
        if not name.startswith("_")
        and (inspect.isfunction(member) or isinstance(member, property | classmethod))
        and not inspect.getdoc(getattr(value, name))
    ]
    assert silent == []


def own_docstring(value: object) -> str | None:
    """Read a docstring, and not the signature that `dataclass` puts where there is none."""
    text = value.__doc__ if inspect.isclass(value) else inspect.getdoc(value)
    if text and inspect.isclass(value) and text.startswith(f"{value.__name__}("):
        return None
    return text
