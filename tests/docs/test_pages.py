"""Every Python, SQL and console block of the website and the README is run, or says why not."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer

from tests.docs.blocks import DOCS, GIVEN, blocks, commands, pages
from tests.docs.session import READ, Reader
from tests.house.test_docs import check_command
from tests.house.workspace import ROOT, name_of

WITH_BLOCKS = [page for page in pages() if any(True for _ in blocks(page))]
every_page = pytest.mark.parametrize("page", WITH_BLOCKS, ids=name_of)
# What pages install into by themselves.
WITHOUT_SCHEMA = {DOCS / "deploy/supabase.md": "shop", DOCS / "deploy/tenants.md": "shop"}
ROLES = "select rolname from pg_roles where rolname !~ '^pg_'"


@pytest.fixture
def database(page: Path, postgres: EmbeddedServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """The page's own database: with pgflow's schema, but for pages that make it."""
    name = WITHOUT_SCHEMA.get(page)
    if name is None:
        yield request.getfixturevalue("db")
        return
    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        before = set(admin.execute(ROLES).fetchall())
        admin.execute(f"create database {name}".encode())
        yield postgres.url(name)
        admin.execute(f"drop database {name} with (force)".encode())
        for (role,) in set(admin.execute(ROLES).fetchall()) - before:
            admin.execute(f"drop role {role}".encode())


@every_page
def test_all_that_a_page_says_can_be_done_from_top_to_bottom(
    page: Path, database: str, tmp_path: Path, rewrite_outputs: bool
):
    given = GIVEN / page.relative_to(ROOT).with_suffix("")
    if given.exists():
        shutil.copytree(given, tmp_path, dirs_exist_ok=True)
    if (script := tmp_path / "given.sql").exists():
        with psycopg.connect(database, autocommit=True) as conn:
            conn.execute(script.read_bytes())
    with Reader(tmp_path, database) as reader:
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


@every_page
def test_blocks_are_of_a_kind_that_is_run_or_read(page: Path):
    for block in blocks(page):
        assert block.language in {*READ, "sql", "console"}, f"{name_of(page)}:{block.line}"
        # What a formatter makes of the name of a file to be included.
        assert not block.text.startswith("--8 <"), f"{name_of(page)}:{block.line}"


@every_page
def test_commands_that_are_not_run_exist_at_least(page: Path):
    for block in blocks(page):
        if block.language == "console" and block.reason:
            for command, _ in commands(block.text):
                words = shlex.split(command, comments=True)
                if "pgflow" in words:
                    check_command(words[words.index("pgflow") + 1 :])


SPELT_CALL = re.compile(r"`(?:select )?(pgflow\.\w+\([^`]*\))`")
CALLS = [call for page in pages() for call in SPELT_CALL.findall(page.read_text())]


@pytest.mark.parametrize("call", CALLS)
def test_calls_in_sentences_are_of_functions_that_take_what_is_given(
    call: str, conn: psycopg.Connection[Any]
):
    # `run_id` and the like stand for values.
    call = re.sub(r"\brun_id\b(?! =>)", f"'{UUID(int=1)}'", call)
    conn.execute(f"prepare spelt as select {call}".encode())


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
                assert name.startswith(("examples/", "deploy/")), f"{name_of(page)}:{block.line}"
                assert (ROOT / name).is_file()


# Blocks that are not run; none may slip in unseen.
NOT_RUN = {
    "README.md": 1,
    "website/docs/concepts/performance.md": 2,
    "website/docs/deploy/kubernetes.md": 3,
    "website/docs/deploy/nodes.md": 1,
    "website/docs/deploy/serverless.md": 2,
    "website/docs/deploy/supabase.md": 1,
    "website/docs/deploy/workers.md": 1,
    "website/docs/operate/monitoring.md": 1,
    "website/docs/start/first.md": 1,
}


def test_blocks_that_are_not_run_are_counted():
    counted = {
        name_of(page): sum(block.reason is not None for block in blocks(page)) for page in pages()
    }
    assert {name: count for name, count in counted.items() if count} == NOT_RUN


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_no_block_goes_unseen(page: Path):
    fences = re.findall(r"^ *```", page.read_text(), re.MULTILINE)
    assert len(fences) == 2 * sum(1 for _ in blocks(page)), "each has a language"
