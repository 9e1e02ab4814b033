"""The pages about deployment, for tests to run what they show."""

import re
from pathlib import Path

PAGES = Path(__file__).parents[2] / "website" / "docs" / "deploy"
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: str, language: str) -> list[str]:
    """Give the code blocks of a page that are in a language."""
    text = (PAGES / f"{page}.md").read_text()
    return [body for named, body in FENCE.findall(text) if named == language]
