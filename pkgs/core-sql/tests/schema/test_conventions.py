"""Rules of the SQL sources that the sources themselves answer, one test a rule.

Bodies in PL/pgSQL are read as tokens: the parser cannot resolve types of our own schema.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pglast
import pytest
from pglast import ast, enums
from pglast.parser import Token, scan

FUNCTIONS = Path(__file__).parents[2] / "src/pgflow_core_sql/sql/functions"
FIELDS = ("Parameters", "Returns", "Errors", "Locks", "Writes", "Calls", "Idempotent")
REQUIRED_FIELDS = {"Returns", "Locks", "Idempotent"}
LONGEST_BODY = 60
WIDEST_LINE = 100


@dataclass(frozen=True)
class Source:
    """One file of `functions/`."""

    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def statements(self) -> list[ast.Node]:
        return [raw.stmt for raw in pglast.parse_sql(self.text)]

    @cached_property
    def function(self) -> ast.CreateFunctionStmt:
        found = [each for each in self.statements if isinstance(each, ast.CreateFunctionStmt)]
        assert len(found) == 1, f"{self} has {len(found)} functions"
        return found[0]

    @cached_property
    def header(self) -> list[str]:
        """The lines of the comment on top, without their dashes."""
        lines = re.match(r"(?:--[^\n]*\n)*", self.text)
        assert lines is not None
        return [line[2:].removeprefix(" ") for line in lines[0].splitlines()]

    @cached_property
    def sentence(self) -> str:
        """The header's first paragraph, on one line."""
        paragraph = "\n".join(self.header).split("\n\n")[0]
        return " ".join(paragraph.split())

    @cached_property
    def fields(self) -> list[str]:
        return [found[1] for line in self.header if (found := re.match(r"([A-Z]\w+):", line))]

    @cached_property
    def body(self) -> str:
        """What stands between the dollar quotes, or between `begin atomic` and `end`."""
        found = re.search(
            r"\bas (\$\w*\$)\n(?P<quoted>.*?)\1|\bbegin atomic\n(?P<atomic>.*?)^end;",
            self.text,
            re.DOTALL | re.MULTILINE,
        )
        assert found is not None, f"{self} has no body that this test can find"
        return found["quoted"] or found["atomic"]

    @cached_property
    def tokens(self) -> list[tuple[Token, str]]:
        """The body's tokens with their text, comments left out."""
        encoded = self.body.encode()
        return [
            (token, encoded[token.start : token.end + 1].decode())
            for token in scan(self.body)
            if token.name not in {"SQL_COMMENT", "C_COMMENT"}
        ]

    @cached_property
    def words(self) -> list[str]:
        return [text.lower() for _, text in self.tokens]

    def option(self, name: str) -> list[ast.Node]:
        return [option.arg for option in self.function.options if option.defname == name]

    def __str__(self) -> str:
        return self.path.stem


SOURCES = [Source(path) for path in sorted(FUNCTIONS.rglob("*.sql"))]
every_source = pytest.mark.parametrize("source", SOURCES, ids=str)


def test_there_are_sources():
    assert SOURCES


def test_no_two_files_have_one_name():
    names = [source.path.name for source in SOURCES]
    assert sorted(names) == sorted(set(names))


@every_source
def test_a_file_holds_the_function_it_is_named_for(source: Source):
    assert [part.sval for part in source.function.funcname] == ["pgflow", source.path.stem]
    assert source.function.replace, "functions are re-created: create or replace"


@every_source
def test_a_file_holds_the_function_and_its_comment_and_nothing_else(source: Source):
    _, *others = source.statements
    assert [type(each) for each in others] == [ast.CommentStmt]
    assert others[0].objtype == enums.ObjectType.OBJECT_FUNCTION
    assert [part.sval for part in others[0].object.objname] == ["pgflow", source.path.stem]


@every_source
def test_the_header_starts_with_the_sentence_that_is_the_comment(source: Source):
    comment = source.statements[-1]
    assert isinstance(comment, ast.CommentStmt)
    assert source.sentence.endswith(".")
    assert source.sentence == comment.comment


@every_source
def test_the_header_has_its_fields_in_order(source: Source):
    assert set(source.fields) >= REQUIRED_FIELDS
    assert source.fields == [field for field in FIELDS if field in source.fields]


@every_source
def test_a_function_with_parameters_says_what_they_are(source: Source):
    columns = enums.FunctionParameterMode.FUNC_PARAM_TABLE
    given = [each for each in source.function.parameters or () if each.mode != columns]
    assert bool(given) == ("Parameters" in source.fields)


@every_source
def test_a_function_that_raises_names_each_sqlstate_in_its_header(source: Source):
    raised = {state for raise_ in raises(source) for state in re.findall(r"'(PF\w{3})'", raise_)}
    named = set(re.findall(r"\bPF\w{3}\b", "\n".join(source.header)))
    assert raised <= named


@every_source
def test_bodies_are_written_in_lower_case(source: Source):
    shouted = [
        text
        for token, text in source.tokens
        if (token.kind != "NO_KEYWORD" or token.name == "IDENT")
        and not text.startswith('"')
        and text != text.lower()
    ]
    assert shouted == []


@every_source
def test_no_body_selects_all_columns(source: Source):
    # `row.*` of a named relation is how a function returns rows of its declared type.
    starred = [
        " ".join(source.words[place : place + 3])
        for place, word in enumerate(source.words)
        if word == "*" and source.words[place - 1] in {"select", "returning", "distinct", "all"}
    ]
    assert starred == []


@every_source
def test_each_raised_error_has_a_state_a_message_and_a_detail(source: Source):
    for raise_ in raises(source):
        assert re.search(r"\berrcode = 'PF\w{3}'", raise_), raise_
        assert re.search(r"\bmessage = ", raise_), raise_
        assert re.search(r"\bdetail = ", raise_), raise_


@every_source
def test_rows_that_are_found_by_their_place_are_found_in_their_table_too(source: Source):
    """Each partition has a row at the same place."""
    of_runs = r"\b(run|task|state|stream|item)\.ctid = (?![^\n]*\b\1\.tableoid = )"
    assert re.findall(of_runs, source.body) == []


def raises(source: Source) -> list[str]:
    """Give each `raise exception` of a body as its tokens, one space between."""
    found: list[str] = []
    texts = [text for _, text in source.tokens]
    for place, word in enumerate(source.words):
        # `raise;` raises again what was caught, and `raise notice` raises nothing.
        if word == "raise" and source.words[place + 1] not in {
            *(";", "debug", "log", "info", "notice", "warning"),
        }:
            end = source.words.index(";", place)
            found.append(" ".join(texts[place:end]))
    return found


@every_source
def test_search_path_is_pinned_where_callers_come_in_and_nowhere_else(source: Source):
    """Within a call it stays pinned; to pin it again has every plan inside checked anew."""
    pinned = bool([each for each in source.option("set") if each.name == "search_path"])
    bound_at_creation = source.function.sql_body is not None
    callers_come_in = bool(source.option("security")) or not (
        str(source).startswith("_") or bound_at_creation
    )
    assert pinned == callers_come_in


@every_source
def test_no_body_is_longer_than_60_lines(source: Source):
    assert len(source.body.splitlines()) <= LONGEST_BODY


@every_source
def test_no_line_is_wider_than_100_columns(source: Source):
    wide = [line for line in source.text.splitlines() if len(line) > WIDEST_LINE]
    assert wide == []
