"""An extension of Markdown that leads links of the repository's own documents to pages.

README, ARCHITECTURE and others are pages as they are. They link to files as those lie in the
repository, where people read them, too.
"""

import re
from typing import Any

from markdown import Markdown
from markdown.extensions import Extension
from markdown.preprocessors import Preprocessor
from zensical.extensions.context import ContextPreprocessor

LINK = re.compile(r"(!?)\[([^\]\n]+)\]\(([^)\s]+)\)")
# Pages by what is linked to. What is in none of them keeps its words and loses its link.
PLACES = (
    (r"#.*|[a-z]+:.*", r"\g<0>"),
    (r"website/docs/(.+)", r"\1"),
    (r"(ARCHITECTURE|NAMES|CHANGELOG|CONTRIBUTING|README)\.md(#.*)?", r"\1.md\2"),
    (
        r"examples/(web_scraper|retrieval|etl|order_saga|thumbnails|chatbot)/README\.md",
        r"generated/tutorials/\1.md",
    ),
    (r"examples(/.*)?", "guide/examples.md"),
    (r"pkgs/client/README\.md#jobs", "start/jobs.md"),
    (r"pkgs/(core-sql|dsl|client|worker|cli)/README\.md.*", r"reference/\1.md"),
    (r"bench/results/.*", "generated/figures.md"),
)
DOCUMENTS = ("index.md", "ARCHITECTURE.md", "NAMES.md", "CHANGELOG.md", "CONTRIBUTING.md")


def page_of(target: str) -> str | None:
    """Return the page of what a root document links to; None where there is none."""
    for pattern, page in PLACES:
        found = re.fullmatch(pattern, target)
        if found:
            return found.expand(page).replace("README.md", "index.md")
    return None


def with_pages(line: str) -> str:
    """Return a line of Markdown with its links led to pages."""

    def lead(found: re.Match[str]) -> str:
        page = page_of(found[3])
        return f"{found[1]}[{found[2]}]({page})" if page else found[2]

    return LINK.sub(lead, line)


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
