"""What the website's tools make of the sources is whole."""

import importlib.util
import json
import re
import subprocess
import sys
from types import ModuleType

import pgflow_dsl
import pgflow_worker
import pytest

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


@pytest.mark.parametrize("module", [pgflow_dsl, pgflow_worker], ids=lambda each: each.__name__)
def test_a_reference_that_orders_its_names_has_all_of_them(module: ModuleType):
    page = ROOT / f"website/docs/reference/{module.__name__.removeprefix('pgflow_')}.md"
    listed = re.findall(r"^ {8}- (\w+)$", page.read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(module.__all__)


def test_links_of_documents_that_are_pages_lead_to_pages():
    spec = importlib.util.spec_from_file_location("links", ROOT / "website/tools/links.py")
    assert spec is not None
    assert spec.loader is not None
    links = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(links)
    led = 0
    for name in ("README", "ARCHITECTURE", "NAMES", "CONTRIBUTING", "CHANGELOG"):
        for _, words, target in links.LINK.findall((ROOT / f"{name}.md").read_text()):
            page = links.page_of(target)
            if page and not re.match(r"#|[a-z]+:", page) and not page.startswith("generated/"):
                led += 1
                assert (ROOT / "website/docs" / page.split("#")[0]).is_file(), (name, words)
    assert led > 5
