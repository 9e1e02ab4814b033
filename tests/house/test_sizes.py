"""Files stay small enough to be read in one sitting."""

import pytest

from tests.house.workspace import PACKAGES, Package, name_of

LONGEST_FILE = 400


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_no_source_file_is_longer_than_400_lines(package: Package):
    lengths = {
        name_of(path): len(path.read_text().splitlines())
        for path in package.source.rglob("*")
        if path.suffix in {".py", ".sql"}
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}
