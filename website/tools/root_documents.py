"""An extension of Markdown that leads links of the repository's own documents to pages.

README, ARCHITECTURE and others are pages as they are. They link to files as those lie in the
repository, where people read them, too.
"""

from typing import Any

from links import with_pages
from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor
from zensical.extensions.context import ContextPreprocessor

DOCUMENTS = ("index.md", "ARCHITECTURE.md", "NAMES.md", "CHANGELOG.md", "CONTRIBUTING.md")


class Led(Preprocessor):
    """Leads the links of root documents."""

    def run(self, lines: list[str]) -> list[str]:
        """Return the lines of a page."""
        context = ContextPreprocessor.from_markdown(self.md)
        if context is None or context.page.path not in DOCUMENTS:
            return lines
        return [with_pages(line) for line in lines]


class RootDocuments(Extension):
    """The extension."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Add it, after what includes files."""
        md.preprocessors.register(Led(md), "root_documents", 29)


def makeExtension(**options: Any) -> RootDocuments:
    """Return the extension, by the name that Markdown looks for."""
    return RootDocuments(**options)
