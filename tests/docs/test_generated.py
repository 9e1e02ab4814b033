"""What the website's tools make of the sources is whole."""

import json
import re
import subprocess
import sys

from tests.house.workspace import ROOT, SQL

TOOL = """
import sys
sys.path.insert(0, "website/tools")
import generate, json
made = generate.pages()
generate.check_navigation(made)
print(json.dumps(made))
"""


def test_every_public_function_table_error_and_command_has_its_place_in_the_reference():
    said = subprocess.run(
        [sys.executable, "-c", TOOL], cwd=ROOT, check=True, capture_output=True, text=True
    )
    pages = json.loads(said.stdout)

    public = {path.stem for path in SQL.glob("functions/*/[!_]*.sql")}
    assert public == set(re.findall(r"^### (\w+)$", pages["sql-functions.md"], re.MULTILINE))
    made = "".join(path.read_text() for path in SQL.glob("migrations/*.sql"))
    tables = set(re.findall(r"^create (?:unlogged )?table pgflow\.(\w+)", made, re.MULTILINE))
    assert tables - {"schema_migrations"} <= set(
        re.findall(r"^## (\w+)$", pages["tables.md"], re.MULTILINE)
    )
    assert "pgflow runs restart" in pages["commands.md"]
    for kind in ("Run", "Step", "Task"):
        assert f"## {kind}" in pages["transitions.md"]
    newest = max(path.name for path in ROOT.glob("bench/results/20*.json"))
    assert newest in pages["figures.md"]
