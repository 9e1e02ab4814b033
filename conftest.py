"""What every package's tests share; the machinery is in tests/support."""

import re

import pytest

pytest_plugins = ["pytester", "tests.support.fixtures"]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Take addresses out of tests' names: processes that share the tests have others."""
    item._nodeid = re.sub(r" at 0x[0-9a-f]+", "", item.nodeid)
