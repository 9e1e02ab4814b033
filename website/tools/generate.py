"""Writes the pages and pictures that are made of the sources: `python website/tools/generate.py`.

They land in website/docs/generated, which git does not keep: `nox -s docs` makes them.
"""

import shutil
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

TOOLS = Path(__file__).parent
ROOT = TOOLS.parents[1]
GENERATED = ROOT / "website/docs/generated"
sys.path.insert(0, str(TOOLS))
# The model alone, without what else the tests' package imports.
support = ModuleType("core_sql_support")
support.__path__ = [str(ROOT / "pkgs/core-sql/tests/support/core_sql_support")]
sys.modules.setdefault("core_sql_support", support)

import figures  # noqa: E402 (the folder is on the path only now)
import reference  # noqa: E402
import states  # noqa: E402
import tutorials  # noqa: E402


def pages() -> dict[str, str]:
    """Return the text of each generated file by its name."""
    return {
        **reference.pages(),
        **figures.pages(),
        **states.pages(),
        **tutorials.pages(),
        "chaos-figures.txt": first_table("website/docs/chaos.md", "| What |"),
        "speed.txt": first_table("README.md", "| | |"),
    }


def first_table(document: str, head: str) -> str:
    """Return the first table of a document that begins with these words."""
    text = (ROOT / document).read_text()
    return next(part for part in text.split("\n\n") if part.startswith(head))


def places(entries: list[Any]) -> Iterator[str]:
    """Yield the pages that the navigation names."""
    for entry in entries:
        for named in entry.values() if isinstance(entry, dict) else [entry]:
            if isinstance(named, list):
                yield from places(named)
            else:
                yield named


def check_navigation(made: Iterable[str]) -> None:
    """See to it that every page has one place in the navigation.

    Args:
        made: Names of the pages that are generated.

    Raises:
        ValueError: A page has none, or two, or one is named that is not there.
    """
    project = tomllib.loads((ROOT / "website/zensical.toml").read_text())["project"]
    docs = ROOT / "website/docs"
    written = {path.relative_to(docs).as_posix() for path in docs.glob("**/*.md")}
    pages = {path for path in written if not path.startswith("generated/")}
    pages |= {f"generated/{name}" for name in made if name.endswith(".md")}
    named = Counter(places(project["nav"]))
    wrong = [path for path in pages | named.keys() if named[path] != 1 or path not in pages]
    if wrong:
        raise ValueError(
            f"pages and the navigation in website/zensical.toml differ: {sorted(wrong)}"
        )


def main() -> None:
    """Write all files anew."""
    shutil.rmtree(GENERATED, ignore_errors=True)
    made = pages()
    check_navigation(made)
    for name, text in made.items():
        path = GENERATED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.rstrip() + "\n")


if __name__ == "__main__":
    main()
