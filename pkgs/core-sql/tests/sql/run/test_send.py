"""Jobs fed from SQL: one by one, many at once, and by triggers."""

from typing import Any
from uuid import UUID

import psycopg
import pytest
from core_sql_support import Engine, step
from psycopg.types.json import Jsonb


@pytest.fixture
def mail(pg: Engine) -> Engine:
    pg.flow("mail", {"mail": step()})
    pg.conn.execute("create table users (name text, age int)")
    return pg


def inputs(pg: Engine) -> list[Any]:
    return [
        value
        for [value] in pg.rows("select input from pgflow.runs where flow_slug = 'mail' order by 1")
    ]


def test_what_is_sent_is_a_run(mail: Engine):
    run_id = mail.call("send", "mail", Jsonb("Ada"))
    assert mail.run(run_id, "flow_slug, input, status") == ("mail", "Ada", "started")
    assert mail.claim_one("mail").flow_input == "Ada"
    assert mail.run(mail.call("send", "mail"), "input") is None


def test_what_is_sent_may_wait_count_once_and_go_first(mail: Engine):
    first = mail.call("send", "mail", Jsonb(1), delay="1 hour", idempotency_key="a")
    assert mail.claim() == []
    assert mail.call("send", "mail", Jsonb(2), idempotency_key="a") == first
    mail.call("send", "mail", Jsonb(3))
    urgent = mail.call("send", "mail", Jsonb(4), priority=5, tags={"why": "test"})
    assert mail.claim(1)[0].run_id == urgent
    assert mail.run(urgent, "tags") == {"why": "test"}


def test_many_are_sent_in_one_call(mail: Engine):
    sent = "select * from pgflow.send_many('mail', %s::jsonb[], idempotency_keys => %s)"
    first = mail.column(sent, ["1", "2"], ["a", "b"])
    again = mail.column(sent, ["3", "4"], ["b", "c"])
    assert all(isinstance(run_id, UUID) for run_id in first)
    assert again[0] == first[1]
    assert inputs(mail) == [1, 2, 4]


def test_what_cannot_be_started_cannot_be_sent(mail: Engine):
    with pytest.raises(psycopg.Error, match="ghost") as raised:
        mail.call("send", "ghost", Jsonb(1))
    assert raised.value.sqlstate == "PF001"


def test_a_trigger_sends_each_row(mail: Engine):
    mail.conn.execute("""
        create trigger welcome after insert or update or delete on users
          for each row execute function pgflow.send_rows('mail')
    """)
    mail.conn.execute("insert into users values ('Ada', 36)")
    mail.conn.execute("update users set age = 37")
    mail.conn.execute("delete from users")
    ada = {"name": "Ada"}
    assert inputs(mail) == [ada | {"age": 36}, ada | {"age": 37}, ada | {"age": 37}]


def test_a_trigger_sends_one_column(mail: Engine):
    mail.conn.execute("""
        create trigger welcome after insert on users
          for each row execute function pgflow.send_rows('mail', 'name')
    """)
    mail.conn.execute("insert into users values ('Ada', 36), (null, 1)")
    assert inputs(mail) == [None, "Ada"]


@pytest.mark.parametrize(
    ("arguments", "expected"), [("'mail'", {"name": "Ada", "age": 36}), ("'mail', 'name'", "Ada")]
)
def test_a_trigger_sends_all_rows_of_a_statement_at_once(
    mail: Engine, arguments: str, expected: Any
):
    mail.conn.execute(f"""
        create trigger welcome after insert on users referencing new table as sent_rows
          for each statement execute function pgflow.send_rows({arguments})
    """)
    mail.conn.execute("insert into users values ('Ada', 36), ('Ada', 36)")
    mail.conn.execute("insert into users select 'nobody' where false")
    assert inputs(mail) == [expected, expected]
    assert mail.value("select count(distinct started_at) from pgflow.runs") == 1


@pytest.mark.parametrize(
    "trigger",
    [
        "before insert on users for each row execute function pgflow.send_rows('mail')",
        "after insert on users for each row execute function pgflow.send_rows()",
        "after truncate on users execute function pgflow.send_rows('mail')",
    ],
)
def test_a_trigger_that_cannot_send_says_so(mail: Engine, trigger: str):
    mail.conn.execute(f"create trigger welcome {trigger}")
    statement = "truncate users" if "truncate" in trigger else "insert into users values ('Ada', 1)"
    with pytest.raises(psycopg.Error, match=r"trigger welcome on \S*users cannot send") as raised:
        mail.conn.execute(statement)
    assert raised.value.sqlstate == "PF005"


def test_who_writes_to_a_table_need_not_be_allowed_to_start_runs(mail: Engine):
    mail.conn.execute("""
        create trigger welcome after insert on users
          for each row execute function pgflow.send_rows('mail', 'name')
    """)
    mail.conn.execute("create role writer_of_rows")
    try:
        mail.conn.execute("grant insert on users to writer_of_rows")
        mail.conn.execute("set role writer_of_rows")
        mail.conn.execute("insert into users values ('Ada', 36)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            mail.call("send", "mail")
    finally:
        mail.conn.execute("reset role")
        mail.conn.execute("drop owned by writer_of_rows")
        mail.conn.execute("drop role writer_of_rows")
    assert inputs(mail) == ["Ada"]
