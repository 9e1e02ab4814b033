"""Files and SQL bodies stay small enough to be read in one sitting."""

import pytest

from tests.house.workspace import PACKAGES, Package, name_of, tracked_files

LONGEST_FILE = 400
WIDEST_LINE = 100


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_no_source_file_is_longer_than_400_lines(package: Package):
    lengths = {
        name_of(path): len(path.read_text().splitlines())
        for path in package.source.rglob("*")
        if path.suffix in {".py", ".sql"}
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_sql_line_is_wider_than_100_columns():
    wide = [
        f"{name_of(path)}:{number}"
        for path in tracked_files()
        if path.suffix == ".sql"
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > WIDEST_LINE
    ]
    assert wide == []
