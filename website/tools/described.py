"""An extension of Markdown that describes a page by its first sentences, for search engines."""

import re
import textwrap
from typing import Any

from markdown import Markdown
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from zensical.extensions.context import ContextPreprocessor

PARAGRAPH = re.compile(r"<p>(.*?)</p>", re.DOTALL)
TAG = re.compile(r"<[^>]+>")
# What search engines show of a description.
LONGEST = 155


def description_of(html: str) -> str:
    """Return the words of the first paragraphs, as many as are shown."""
    words = " ".join(TAG.sub("", each) for each in PARAGRAPH.findall(html)[:2])
    return textwrap.shorten(words, LONGEST, placeholder=" …").replace('"', "'")


class Described(Postprocessor):
    """Notes the description of a page that names none."""

    def run(self, text: str) -> str:
        """Return the text as it is."""
        context = ContextPreprocessor.from_markdown(self.md)
        if context is not None and (said := description_of(text)):
            context.page.meta.setdefault("description", said)
        return text


class DescribedExtension(Extension):
    """The extension."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Add it, after all others."""
        md.postprocessors.register(Described(md), "described", -100)


def makeExtension(**options: Any) -> DescribedExtension:
    """Return the extension, by the name that Markdown looks for."""
    return DescribedExtension(**options)
