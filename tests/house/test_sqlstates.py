"""An error raised in SQL is one class in Python, and the other way round."""

import ast
import re

from tests.house.workspace import ROOT, SQL

RAISED = re.compile(r"errcode\s*=\s*'(PF[0-9A-Z]{3})'", re.IGNORECASE)
ERRORS = ROOT / "pkgs/client/src/pgflow_client/errors.py"


def states_raised_in_sql() -> set[str]:
    return {state for path in SQL.rglob("*.sql") for state in RAISED.findall(path.read_text())}


def states_known_to_the_client() -> list[str]:
    return [
        node.value
        for node in ast.walk(ast.parse(ERRORS.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"PF[0-9A-Z]{3}", node.value)
    ]


def test_each_sqlstate_raised_in_sql_is_a_class_of_the_client_and_the_other_way_round():
    assert states_raised_in_sql() == set(states_known_to_the_client())


def test_no_two_classes_share_a_sqlstate():
    known = states_known_to_the_client()
    assert sorted(known) == sorted(set(known))
