"""Writes the pages and pictures that are made of the sources: `python website/tools/generate.py`.

They land in website/docs/generated, which git does not keep: `nox -s docs` makes them anew.
"""

import shutil
import sys
from pathlib import Path
from types import ModuleType

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
    return {**reference.pages(), **figures.pages(), **states.pages(), **tutorials.pages()}


def main() -> None:
    """Write all files anew."""
    shutil.rmtree(GENERATED, ignore_errors=True)
    for name, text in pages().items():
        path = GENERATED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.rstrip() + "\n")


if __name__ == "__main__":
    main()
