"""The Python of the pages passes both type checkers, strict: people copy it."""

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.docs.blocks import GIVEN, Block, blocks, pages
from tests.house.workspace import ROOT

CHECKERS = {
    "mypy": ["mypy", f"--config-file={ROOT}/pyproject.toml", f"--cache-dir={ROOT}/.mypy_cache"],
    "pyright": ["pyright", "--pythonpath", sys.executable],
}
# Names of files that pages begin with, such as `shop.py`, are theirs alone.
MODULE = r"^( *from ){}(?=[ .])"


def module_of(page: Path) -> str:
    """Name the package that a page becomes."""
    return "_".join(page.relative_to(ROOT).with_suffix("").parts[-2:]).lower().replace("-", "_")


def lay_out(page: Path, folder: Path) -> None:
    """Write the page as a module, whose lines are the page's, and its files beside it."""
    written = [each for each in blocks(page) if each.language == "python" and not each.includes]
    files = [each for each in written if (each.title or "").endswith(".py")]
    names = sorted({Path(str(each.title)).parts[0].removesuffix(".py") for each in files})
    package = folder / module_of(page)
    package.mkdir()
    for given in (GIVEN / page.relative_to(ROOT).with_suffix("")).glob("*.py"):
        shutil.copy(given, package)
        names.append(given.stem)
    lines = ["async def page(DATABASE_URL: str) -> None:", "    pass"]

    def own(text: str) -> str:
        for name in names:
            text = re.sub(MODULE.format(name), rf"\1{package.name}.{name}", text, flags=re.M)
        return text

    def add(block: Block) -> None:
        lines.extend([""] * (block.line - len(lines)))
        lines.extend(textwrap.indent(own(block.text), "    ").split("\n"))

    for block in written:
        if block in files:
            (package / str(block.title)).parent.mkdir(parents=True, exist_ok=True)
            (package / str(block.title)).write_text(own(block.text))
        elif "asyncio.run(" in block.text:
            (package / f"program_{block.line}.py").write_text(own(block.text))
        else:
            add(block)
    (package / "page.py").write_text("\n".join(lines) + "\n")


@pytest.mark.types
@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS)
def test_the_python_of_every_page_passes(checker: str, tmp_path: Path):
    for page in pages():
        lay_out(page, tmp_path)
    # A page is a function here, and what it ends with need not go anywhere.
    (tmp_path / "pyrightconfig.json").write_text(
        '{"typeCheckingMode": "strict", "reportUnusedVariable": false}'
    )

    done = subprocess.run(
        [sys.executable, "-m", *CHECKERS[checker], "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
