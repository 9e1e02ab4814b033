"""Pages of the tutorials: the README of each example, and the programs that it speaks of."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
# In the order in which they are shown; each is a page of its own.
NAMES = ("web_scraper", "retrieval", "etl", "order_saga", "thumbnails", "chatbot")
# A link to a file beside the README.
LINK = re.compile(r"\[([^\]]+)\]\((?![a-z]+:)[^)]+\)")


def pages() -> dict[str, str]:
    """Return the page of each tutorial."""
    return {f"tutorials/{name}.md": page(EXAMPLES / name) for name in NAMES}


def page(folder: Path) -> str:
    """Return the README, then the main program, then the modules beside it."""
    text = (folder / "README.md").read_text()
    out = [LINK.sub(r"\1", text), "## The program", ""]
    main = folder / f"{folder.name}.py"
    others = sorted(path for path in folder.glob("*.py") if path != main)
    for path in [main, *others]:
        out += [f'```python title="{path.name}"', path.read_text().rstrip(), "```", ""]
    return "\n".join(out)
