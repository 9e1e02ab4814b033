"""An extension of Markdown that shows why the tests do not run a block, above that block."""

import re
from typing import Any

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor

# As tests/docs/blocks.py finds it.
MARK = re.compile(r"^<!-- not run: (.+?) -->$")


class Shown(Preprocessor):
    """Turns the comment into a line that people see."""

    def run(self, lines: list[str]) -> list[str]:
        """Return the lines of a page."""
        shown = r'<p class="not-run">Not run by the tests: \1.</p>'
        return [MARK.sub(shown, line) for line in lines]


class NotRun(Extension):
    """The extension."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Add it, after what includes files and before what cuts out blocks of code."""
        md.preprocessors.register(Shown(md), "not_run", 28)


def makeExtension(**options: Any) -> NotRun:
    """Return the extension, by the name that Markdown looks for."""
    return NotRun(**options)
