"""Every Python, SQL and console block of the website and the README is run, or says why not."""

from pathlib import Path

import pytest

from tests.docs.blocks import blocks, pages
from tests.docs.session import Reader
from tests.house.workspace import ROOT, name_of

# These speak of servers, clusters and tools of others; their commands are checked, not run.
DEPLOY = ROOT / "website/docs/deploy"
WITH_BLOCKS = [
    page for page in pages() if page.parent != DEPLOY and any(True for _ in blocks(page))
]


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=name_of)
def test_all_that_a_page_says_can_be_done_from_top_to_bottom(
    page: Path, db: str, tmp_path: Path, rewrite_outputs: bool
):
    with Reader(tmp_path, db) as reader:
        for block in blocks(page):
            if block.reason is None:
                try:
                    reader.do(block)
                except Exception as error:
                    error.add_note(f"the {block.language} block at {name_of(page)}:{block.line}")
                    raise
    if rewrite_outputs:
        for command, shown, printed in reader.stale:
            rewrite(page, command, shown, printed)
    else:
        assert reader.stale == [], "`pytest tests/docs --rewrite-outputs` writes the pages anew"


def rewrite(page: Path, command: str, shown: str, printed: str) -> None:
    """Put what a command prints in the place of what the page shows."""
    lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
    old, new = f"$ {command}\n{shown}", "\n".join([f"$ {command}", *lines, ""])
    text = page.read_text()
    assert old in text
    page.write_text(text.replace(old, new, 1))


def test_what_a_page_includes_is_tested_in_its_own_right():
    for page in WITH_BLOCKS:
        for block in blocks(page):
            for name in block.includes:
                assert name.startswith("examples/"), f"{name_of(page)}:{block.line}"
                assert (ROOT / name).is_file()
