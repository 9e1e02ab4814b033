"""The option by which pages are written anew."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite-outputs",
        action="store_true",
        help="Put what commands print in the place of what the pages show.",
    )


@pytest.fixture
def rewrite_outputs(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--rewrite-outputs", default=False))
