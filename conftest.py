"""What every package's tests share; the machinery is in tests/support."""

pytest_plugins = ["pytester", "tests.support.fixtures"]
