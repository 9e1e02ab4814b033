"""What the demo counts in one file."""

from __future__ import annotations

import re

# A link's target or a plain URL. Neither can match twice at one place, whatever the text.
_LINK = re.compile(r"\]\([^\s()\[\]]+|https?://[^\s()<>\[\]\"'`]+")
_DEFINITION = {
    "Markdown": re.compile(r"^ {0,3}#{1,6}[ \t]", re.MULTILINE),
    "Python": re.compile(r"^[ \t]*(?:async[ \t]+def|def|class)[ \t]+\w", re.MULTILINE),
    "SQL": re.compile(
        r"^[ \t]*create[ \t]+(?:or[ \t]+replace[ \t]+)?(?:\w+[ \t]+){0,2}?"
        r"(?:table|view|function|procedure|type|domain|schema|index|trigger|sequence)\b",
        re.MULTILINE | re.IGNORECASE,
    ),
}


def count_links(text: str) -> int:
    """Count URLs and Markdown links; a link to a URL is one."""
    return len(_LINK.findall(text))


def count_definitions(text: str, language: str) -> int:
    """Count functions and classes of Python, `create` statements of SQL, headings of Markdown."""
    pattern = _DEFINITION.get(language)
    return len(pattern.findall(text)) if pattern else 0


def longest_line(lines: list[str]) -> tuple[int, int]:
    """Find the first of the longest lines: its number, counted from 1, and its length.

    Returns:
        (0, 0) where there are no lines.
    """
    lengths = [len(line) for line in lines]
    longest = max(lengths, default=0)
    return (lengths.index(longest) + 1, longest) if lengths else (0, 0)
