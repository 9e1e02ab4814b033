"""The client for threads is what the tool makes of the client on asyncio."""

import ast
import importlib.util
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def load_tool():
    spec = importlib.util.spec_from_file_location("make_sync", PACKAGE / "tools/make_sync.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def meaning(text):
    """A module as a tree, in which layout and the order of imports do not count."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            node.names.sort(key=lambda name: name.name)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            imports = [each for each in body if isinstance(each, ast.Import | ast.ImportFrom)]
            others = [each for each in body if each not in imports]
            node.body = sorted(imports, key=ast.dump) + others
    return ast.dump(tree)


def test_the_client_for_threads_is_up_to_date():
    tool = load_tool()
    made = {
        path.name: tool.to_sync(path.read_text(), path.name) for path in tool.SOURCE.glob("*.py")
    }
    kept = {path.name: path.read_text() for path in tool.TARGET.glob("*.py")}
    assert made.keys() == kept.keys()
    stale = [name for name in made if meaning(made[name]) != meaning(kept[name])]
    assert stale == [], "run pkgs/client/tools/make_sync.py"


def test_the_client_for_threads_says_what_it_is_made_of():
    tool = load_tool()
    for path in tool.TARGET.glob("*.py"):
        text = path.read_text()
        assert text.startswith(f"# Made by tools/make_sync.py from _async/{path.name}")
        assert "await" not in text.replace("awaited", "")
