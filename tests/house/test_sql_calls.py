"""The database is called in one place: nobody else carries SQL text of ours."""

import ast
import re
from pathlib import Path

from tests.house.workspace import PACKAGES, name_of

# These own SQL: the core, the client's functions, what prints SQL for people, and the command that
# asks the database whether and what it is.
MAY_CARRY_SQL = re.compile(
    r"/pgflow_core_sql/|/pgflow_client/_functions|/pgflow_dsl/(_?compile|_?sql)"
    r"|/pgflow_cli/(_?embedded|_?demo|commands/db|commands/status)"
)
CALL = re.compile(
    r"\b(select|from|insert\s+into|update|delete\s+from|call)\s+(\S+\s+from\s+)?pgflow\.\w+", re.I
)


def literals(path: Path) -> list[tuple[int, str]]:
    """Give the string literals of a file that are not docstrings, with their lines."""
    tree = ast.parse(path.read_text())
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]


def test_only_the_modules_that_own_sql_carry_it():
    strays = [
        f"{name_of(path)}:{line}: {text.strip()[:60]}"
        for package in PACKAGES
        for path in package.python_files()
        if not MAY_CARRY_SQL.search(path.as_posix())
        for line, text in literals(path)
        if CALL.search(text)
    ]
    assert strays == []


def test_the_rule_sees_a_call():
    assert CALL.search("select * from pgflow.start_flow(%s)")
    assert CALL.search("select pgflow.claim_tasks(1)")
    assert CALL.search("SELECT\n pgflow.claim_tasks(1)")
    assert not CALL.search("select a flow from the list")
