"""Tables of pages say what the database does."""

import re

import psycopg
import pytest

from tests.docs.blocks import DOCS

CASE = re.compile(r"^\| `([^`]+)` \| `([^`]+)` \| (yes|no)\b", re.MULTILINE)
CASES = CASE.findall((DOCS / "guide/conditions.md").read_text())


@pytest.mark.parametrize(("value", "pattern", "answer"), CASES)
def test_the_page_on_conditions_says_what_contains_what(
    value: str, pattern: str, answer: str, db: str
):
    with psycopg.connect(db) as conn:
        found = conn.execute("select %s::jsonb @> %s::jsonb", (value, pattern)).fetchone()
    assert found == (answer == "yes",)


def test_the_page_on_conditions_has_cases_of_both_kinds():
    assert {answer for _, _, answer in CASES} == {"yes", "no"}
