"""Options of the chaos suite; without --chaos, what takes minutes is skipped."""

import random
import sys
from pathlib import Path

import pytest

# The rules that hold of every run are those of the core's tests.
ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "pkgs/core-sql/tests/support"))


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("chaos")
    group.addoption("--chaos", action="store_true", help="Run all of the chaos suite: 10 minutes.")
    group.addoption("--chaos-seed", type=int, help="Repeat what a printed seed decided on.")
    group.addoption("--chaos-page", type=Path, help="Write the page of figures to this file.")


@pytest.fixture
def seed(pytestconfig: pytest.Config) -> int:
    given: int | None = pytestconfig.getoption("--chaos-seed", None)
    return random.SystemRandom().randrange(10**6) if given is None else given


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--chaos", False):
        return
    skip = pytest.mark.skip(reason="takes minutes: nox -s chaos")
    for item in items:
        if item.get_closest_marker("chaos"):
            item.add_marker(skip)
