"""The code blocks of pages: what they are, and which are not run, and why."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.house.workspace import ROOT

FENCE = re.compile(
    r"^(?:<!-- (?:not run: (?P<reason>[^\n]+?)|may end with (?P<code>\d+)) -->\n+)?"
    r"(?P<indent> *)```(?P<language>\w+)(?P<words>[^\n]*)\n"
    r"(?P<body>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
INCLUDE = re.compile(r'^--8<-- "([^"]+)"$', re.MULTILINE)
DOCS = ROOT / "website/docs"
# What the reader of a page has before it begins: files, and what `given.sql` makes in the database.
GIVEN = ROOT / "tests/docs/given"
PAGES = [
    ROOT / "README.md",
    ROOT / "pkgs/core-sql/README.md",
    ROOT / "pkgs/dsl/README.md",
    *sorted(DOCS.glob("[!A-Z]*.md")),
    *sorted(DOCS.glob("*/*.md")),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A code block.

    Attributes:
        page: The page that it stands in.
        line: Where it begins.
        language: "python", "sql", "console", or that of a file, such as "yaml".
        title: The file that it shows, or `as somebody`, who sends the SQL; None if it shows none.
        text: Its text, with what it includes.
        includes: Files that it includes, each of which is tested in its own right.
        reason: Why it is not run; None where it is.
        codes: What its commands may end with.
    """

    page: Path
    line: int
    language: str
    title: str | None
    text: str
    includes: tuple[str, ...]
    reason: str | None
    codes: tuple[int, ...] = (0,)


def pages() -> list[Path]:
    """Return the pages that people write."""
    return [page for page in PAGES if "generated" not in page.parts]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page, in order."""
    text = page.read_text()
    for found in FENCE.finditer(text):
        body = re.sub(f"^{found['indent']}", "", found["body"], flags=re.MULTILINE)
        title = re.search(r'title="([^"]+)"', found["words"])
        yield Block(
            page=page,
            line=text.count("\n", 0, found.start("language")) + 1,
            language=found["language"],
            title=title[1] if title else None,
            text=INCLUDE.sub(lambda each: (ROOT / each[1]).read_text().rstrip(), body),
            includes=tuple(INCLUDE.findall(body)),
            reason=found["reason"],
            codes=(0, int(found["code"])) if found["code"] else (0,),
        )


def commands(text: str) -> list[tuple[str, str]]:
    """Cut a console block into its commands, each with the output that is shown."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]
    found: list[tuple[str, str]] = []
    for part in parts:
        lines = part.split("\n")
        count = next(n for n, line in enumerate(lines, 1) if not line.endswith("\\"))
        found.append(("\n".join(lines[:count]), "\n".join(lines[count:])))
    return found


if __name__ == "__main__":
    for page in pages():
        for block in blocks(page):
            if block.reason:
                print(f"{page.relative_to(ROOT)}:{block.line}: {block.language}: {block.reason}")
