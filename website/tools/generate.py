"""Writes the pages and pictures that are made of the sources: `python website/tools/generate.py`.

They land in website/docs/generated and llms.txt, which git does not keep: `nox -s docs` makes them.
"""

import re
import shutil
import sys
import tomllib
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


def guide_for_models() -> str:
    """Return what `llms.txt` says: what this is, and where each page is."""
    project = tomllib.loads((ROOT / "website/zensical.toml").read_text())["project"]
    out = [f"# {project['site_name']}", "", f"> {project['site_description']}", ""]
    for entry in project["nav"]:
        [(title, pages)] = entry.items()
        listed = pages if isinstance(pages, list) else [{title: pages}]
        out += [f"## {title}", ""]
        for page in listed:
            [(name, path)] = page.items()
            place = re.sub(r"(index)?\.md$", "/", path).lstrip("/") or "./"
            out.append(f"- [{name}]({place})")
        out.append("")
    return "\n".join(out)


def main() -> None:
    """Write all files anew."""
    shutil.rmtree(GENERATED, ignore_errors=True)
    for name, text in pages().items():
        path = GENERATED / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.rstrip() + "\n")
    # At the top of the site, where programs look for it.
    (GENERATED.parent / "llms.txt").write_text(guide_for_models())


if __name__ == "__main__":
    main()
