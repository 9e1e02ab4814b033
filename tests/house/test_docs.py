"""What the documents show is right: code parses, commands exist, links lead somewhere."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.house.workspace import ROOT, name_of, tracked_files

FENCE = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")
DOCUMENTS = [
    path for path in tracked_files() if path.suffix == ".md" and "website" not in path.parts
]
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)


def blocks(document: Path, language: str) -> Iterator[str]:
    for indent, named, body in FENCE.findall(document.read_text()):
        if named == language:
            yield re.sub(f"^{indent}", "", body, flags=re.MULTILINE)


def commands(document: Path) -> Iterator[list[str]]:
    """Give the command lines of a document's console blocks, each cut into words."""
    for block in blocks(document, "console"):
        joined = block.replace("\\\n", " ")
        for line in joined.splitlines():
            if line.startswith("$ "):
                yield shlex.split(line[2:], comments=True)


@every_document
def test_python_blocks_parse(document: Path):
    for block in blocks(document, "python"):
        compile(block, name_of(document), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@every_document
def test_shell_is_shown_as_console_blocks_of_commands(document: Path):
    for language in ("sh", "bash", "shell"):
        assert not list(blocks(document, language)), f"use a console block, not {language}"
    for block in blocks(document, "console"):
        assert block.startswith("$ "), block
    assert all(commands(document))


@every_document
def test_pgflow_commands_and_options_exist(document: Path):
    for words in commands(document):
        if "pgflow" in words:
            check_command(words[words.index("pgflow") + 1 :])


def check_command(words: list[str]) -> None:
    """Walk down the command's tree as far as the words name subcommands; check the options."""
    from pgflow_cli.__main__ import main

    command: click.Command = getattr(main, "command", main)
    context = click.Context(command)
    for word in words:
        if word in {"|", ">", ">>", "&&", ";", "&"}:
            break
        if word.startswith("-"):
            known = {name for parameter in command.params for name in parameter.opts}
            assert word.split("=")[0] in known | {"--help"}, (command.name, word)
        elif isinstance(command, click.Group):
            found = command.get_command(context, word)
            assert found is not None, f"there is no `pgflow {' '.join(words)}`"
            command = found


@every_document
def test_links_to_files_lead_somewhere(document: Path):
    broken = [
        target
        for target in LINK.findall(FENCE.sub("", document.read_text()))
        if not re.match(r"[a-z]+:|#", target)
        and not (document.parent / target.split("#")[0]).exists()
    ]
    assert broken == []


def test_the_documents_of_the_house_are_there():
    for name in ("README", "ARCHITECTURE", "NAMES", "CONTRIBUTING", "RELEASES", "CHANGELOG"):
        assert (ROOT / f"{name}.md").is_file()
