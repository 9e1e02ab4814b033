"""What is said of input, databases and rights that are not as they should be."""

import json

import pytest
from psycopg.conninfo import make_conninfo

from .conftest import Command

TYPED = """
from pgflow_dsl import Flow
from pydantic import BaseModel, Field

class Address(BaseModel):
    city: str

class Order(BaseModel):
    items: list[str]
    address: Address
    count: int = Field(default=1, ge=1)

order = Flow("order", input=Order)

@order.step
def take(order: Order = order.input) -> int:
    return 1
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"items": ["a"], "address": {}}', ["address.city", "Field required"]),
        ('{"items": "a", "address": {"city": "x"}}', ["items", "valid array"]),
        ('{"items": [], "address": {"city": "x"}, "count": 0}', ["count", "greater than"]),
    ],
)
def test_input_that_does_not_fit_is_told_by_field(pgflow: Command, write, text, told):
    write("typed.py", TYPED)
    done = pgflow("start", "typed:order", text)
    assert (done.code, done.out) == (1, "")
    assert all(words in done.err for words in told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1,\n "b": }', 'expecting value at line 2, column 7\n   "b": }\n        ^'),
        ("hello", "A text needs quotes of its own"),
        ("", "is empty"),
        ("NaN", "there is no NaN"),
        ("[" * 100_000, "cannot be read"),
    ],
    ids=["where", "unquoted", "empty", "not a number", "too deep"],
)
def test_input_that_is_no_json_is_told_with_its_place(pgflow: Command, text: str, told: str):
    done = pgflow("start", "add", "-", stdin=text)
    assert (done.code, done.out) == (1, "")
    assert told in done.err.replace("standard input", "INPUT") or text == "hello"
    if text == "hello":
        assert told in pgflow("start", "add", text).err


def test_input_is_given_once(pgflow: Command):
    assert pgflow("start", "add", "1", "--input", "-").code == 2


def test_input_comes_from_a_file_whatever_its_byte_order_mark(pgflow: Command, conn):
    conn.execute(pgflow("compile", "flows:add").out)
    (pgflow.folder / "number.json").write_bytes(b"\xef\xbb\xbf 41 ")
    run_id = pgflow("start", "flows:add", "--input", "number.json", "--priority", "7").out.strip()
    row = conn.execute("select run_id::text, input, priority from pgflow.runs").fetchone()
    assert row == (run_id, 41, 7)
    (pgflow.folder / "number.json").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in pgflow("start", "add", "--input", "number.json").err


def test_a_run_id_that_is_taken_starts_nothing(pgflow: Command, conn):
    conn.execute(pgflow("compile", "flows:add").out)
    words = ("start", "add", "1", "--run-id", "0190b7a4-0000-7000-8000-000000000001")
    assert pgflow(*words).code == 0
    again = pgflow(*words)
    assert (again.code, again.out) == (1, "")
    assert "`pgflow runs show 0190b7a4-" in again.err
    assert conn.execute("select count(*) from pgflow.runs").fetchone() == (1,)
    assert pgflow("start", "add", "1", "--run-id", "seven").code == 2


def test_an_unknown_flow_is_told_with_those_that_are_there(pgflow: Command, conn):
    assert "no flows yet" in pgflow("start", "nothing").err
    conn.execute(pgflow("compile", "flows:add", "flows:fan").out)
    assert "The database has: add, fan." in pgflow("start", "nothing").err
    assert "write flows:NAME" in pgflow("start", "flows").err
    assert "`pgflow worker flows:slow`" in pgflow("start", "flows:slow", "1").err


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("status", {"dbname": "no_such_database"}),
        ("start add 1", {"user": "no_such_user"}),
        ("worker flows", {"host": "no-such-host.invalid"}),
        ("install", {"dbname": "no_such_database"}),
        ("install --check", {"user": "no_such_user"}),
    ],
)
def test_a_database_that_cannot_be_reached_is_told_with_where_it_was_named(
    pgflow: Command, db: str, words: str, wrong: dict[str, str]
):
    pgflow.env["PGFLOW_DATABASE_URL"] = make_conninfo(db, **wrong)
    done = pgflow(*words.split())
    assert (done.code, done.out) == (1, "")
    assert "cannot reach the database" in done.err
    assert next(iter(wrong.values())).split(".")[0] in done.err
    assert "the one that PGFLOW_DATABASE_URL names" in done.err


@pytest.fixture
def url_of(conn, db: str):
    """Make URLs of users who have certain rights only."""
    made: list[str] = []

    def make(*roles: str) -> str:
        user = "_".join(["someone", *roles])
        conn.execute(f"create role {user} login")
        made.append(user)
        for role in roles:
            conn.execute(f"grant {role} to {user}")
        return make_conninfo(db, user=user)

    yield make
    for user in made:
        conn.execute(f"drop owned by {user}")
        conn.execute(f"drop role {user}")


def test_rights_that_are_missing_are_told(pgflow: Command, conn, url_of):
    conn.execute(pgflow("compile", "flows:add").out)
    pgflow.env["PGFLOW_DATABASE_URL"] = url_of()
    for words in (("status",), ("start", "add", "1"), ("worker", "flows"), ("install",)):
        done = pgflow(*words)
        assert (done.code, done.out) == (1, ""), words
        assert "permission denied" in done.err
    assert conn.execute("select count(*) from pgflow.runs").fetchone() == (0,)


def test_a_client_may_start_runs_and_look_at_them(pgflow: Command, conn, url_of):
    conn.execute(pgflow("compile", "flows:add").out)
    pgflow.env["PGFLOW_DATABASE_URL"] = url_of("pgflow_client")
    run_id = pgflow("start", "add", "1").out.strip()
    seen = pgflow("status", run_id)
    assert seen.code == 0, seen.err
    assert "plus_one" in seen.out
    assert "pgflow_reader" in seen.out
    assert json.loads(pgflow("status", run_id, "--json").out)["failed_attempts"] is None
