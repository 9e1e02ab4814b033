"""Worker functions: called through pg_net when there is work for them and no worker of theirs."""

import json
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from core_sql_support import Engine, step

NET = """
create schema net;
create table net.requests (id bigserial primary key, url text, headers jsonb, body jsonb);
create function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}', headers jsonb default '{}',
  timeout_milliseconds int default 5000
) returns bigint language sql as
'insert into net.requests (url, headers, body) values ($1, $4, $2) returning id';
"""
VAULT = """
create schema vault;
create table vault.secrets (id uuid primary key default gen_random_uuid(), name text, secret text);
create view vault.decrypted_secrets as
select id, name, secret as decrypted_secret from vault.secrets;
create function vault.create_secret(
  new_secret text, new_name text default null, new_description text default ''
) returns uuid language sql as
'insert into vault.secrets (name, secret) values ($2, $1) returning id';
create function vault.update_secret(secret_id uuid, new_secret text) returns void language sql as
'update vault.secrets set secret = $2 where id = $1';
"""
CRON = """
create schema cron;
create table cron.job (
  jobid bigserial primary key, jobname text unique, schedule text, command text
);
create table cron.job_run_details (jobid bigint, end_time timestamptz);
create function cron.schedule(job_name text, schedule text, command text)
returns bigint language sql as
'insert into cron.job (jobname, schedule, command) values ($1, $2, $3)
 on conflict (jobname) do update set schedule = $2, command = $3 returning jobid';
"""
OLD_CRON = """
create or replace function cron.schedule(job_name text, schedule text, command text)
returns bigint language plpgsql as $$
begin
  if schedule like '%second%' then
    raise exception 'invalid schedule: %', schedule using errcode = 'invalid_parameter_value';
  end if;
  insert into cron.job (jobname, schedule, command) values ($1, $2, $3);
  return 1;
end
$$;
"""


@pytest.fixture
def net(pg: Engine) -> Engine:
    """A database with a pg_net that keeps what it is asked for, and a flow `site` with a worker."""
    pg.conn.execute(NET)
    pg.flow("site", {"fetch": step()}, base_delay=600)
    pg.call("configure_worker_functions", "https://workers.example.com/", "s3cret")
    return pg


def invoked(pg: Engine) -> list[str]:
    return pg.column("select function_name from pgflow.ensure_workers() where invoked")


def requests(pg: Engine) -> list[Any]:
    return pg.rows("select url, headers ->> 'authorization', body from net.requests order by id")


def age(pg: Engine) -> None:
    """Let the debounce of every function pass."""
    pg.conn.execute("update pgflow.worker_functions set last_invoked_at = now() - interval '1 day'")


def refused(pg: Engine, question: str, *arguments: object) -> str | None:
    with pytest.raises(psycopg.errors.Error) as error:
        pg.rows(question, *arguments)
    return error.value.sqlstate


def test_a_function_without_a_worker_is_called_with_the_secret(net: Engine):
    net.call("track_worker_function", "crawl")
    [(name, was_invoked, request_id)] = net.rows("select * from pgflow.ensure_workers()")
    assert (name, was_invoked) == ("crawl", True)
    url = "https://workers.example.com/crawl"
    assert requests(net) == [(url, "Bearer s3cret", {"function_name": "crawl"})]
    assert request_id == net.value("select id from net.requests")


def test_a_function_is_called_once_within_its_debounce(net: Engine):
    net.call("track_worker_function", "crawl")
    assert [invoked(net), invoked(net)] == [["crawl"], []]
    age(net)
    assert invoked(net) == ["crawl"]


def test_a_function_is_left_alone_while_a_worker_of_it_lives(net: Engine):
    net.call("track_worker_function", "crawl")
    worker = uuid4()
    net.call("register_worker", worker, ["site"], "crawl")
    assert invoked(net) == []
    net.lose_worker(worker)
    assert invoked(net) == ["crawl"]
    age(net)
    net.call("register_worker", worker, ["site"], "crawl")
    net.conn.execute("update pgflow.workers set deprecated_at = now()")
    assert invoked(net) == ["crawl"]
    age(net)
    net.conn.execute("update pgflow.workers set deprecated_at = null")
    net.call("mark_worker_stopped", worker)
    assert invoked(net) == ["crawl"]


def test_a_function_that_is_disabled_is_not_called(net: Engine):
    net.call("track_worker_function", "crawl")
    net.conn.execute("update pgflow.worker_functions set enabled = false")
    net.call("track_worker_function", "crawl")
    assert invoked(net) == []


def test_a_function_of_known_flows_is_called_only_when_they_have_work(net: Engine):
    net.call("track_worker_function", "crawl", ["other", "site"])
    assert invoked(net) == []
    net.start("site")
    assert invoked(net) == ["crawl"]
    net.fail(net.claim_one())
    age(net)
    assert invoked(net) == []  # The retry is not due.
    net.come_due()
    assert invoked(net) == ["crawl"]


def test_what_a_lost_worker_holds_is_work(net: Engine):
    net.call("track_worker_function", "crawl", ["site"])
    net.start("site")
    task = net.claim_one()
    assert invoked(net) == []
    net.lose_worker()
    assert invoked(net) == ["crawl"]
    net.complete((task, 1))


def test_tracking_again_keeps_what_it_is_not_told(net: Engine):
    net.call("track_worker_function", "crawl", ["site"])
    net.conn.execute("update pgflow.worker_functions set url = 'https://elsewhere.example.com/x'")
    net.call("track_worker_function", "crawl")
    assert net.row("select flow_slugs, url from pgflow.worker_functions") == (
        ["site"],
        "https://elsewhere.example.com/x",
    )
    net.start("site")
    assert invoked(net) == ["crawl"]
    assert requests(net)[0][0] == "https://elsewhere.example.com/x"


@pytest.mark.parametrize("name", [None, "", "/x", "a/../b", "a b", "x?y", "x@y"])
def test_a_name_that_would_be_another_place_is_refused(net: Engine, name: str | None):
    with pytest.raises(psycopg.errors.Error) as error:
        net.call("track_worker_function", name)
    assert error.value.sqlstate == "PF005"


def test_without_a_place_or_a_secret_nothing_is_called(net: Engine):
    net.call("track_worker_function", "crawl")
    net.call("configure_worker_functions", "")
    assert invoked(net) == []
    net.call("configure_worker_functions", "https://workers.example.com", "")
    assert invoked(net) == []
    assert net.value("select last_invoked_at from pgflow.worker_functions") is None


@pytest.mark.parametrize(
    "url", ["workers.example.com", "ftp://a.org", "https://", "https://a b", "https://a.org/?q=1"]
)
def test_a_place_that_cannot_be_called_is_refused_and_changes_nothing(net: Engine, url: str):
    before = net.call("configure_worker_functions", "http://workers.example.com:8000/x/", "s")
    assert refused(net, "select pgflow.configure_worker_functions(%s, 'other')", url) == "PF015"
    assert net.call("configure_worker_functions") == before
    assert net.call("_invocation_setting", "auth_secret") == "s"


def test_the_secret_is_kept_in_vault_where_there_is_one(net: Engine):
    net.conn.execute(VAULT)
    for secret in ("first", "second"):
        told = net.call("configure_worker_functions", auth_secret=secret)
        assert "Vault" in told
        assert secret not in told
    assert net.rows("select name, secret from vault.secrets") == [("pgflow_auth_secret", "second")]
    assert "s3cret" not in str(net.rows("select name, value from pgflow.invocation_settings"))
    net.call("track_worker_function", "crawl")
    invoked(net)
    assert requests(net)[0][1] == "Bearer second"


def test_a_supabase_project_needs_no_more_than_its_vault(net: Engine):
    net.call("configure_worker_functions", "", "")
    net.conn.execute(VAULT)
    net.conn.execute(
        "insert into vault.secrets (name, secret) values ('supabase_project_id', 'abc'),"
        " ('supabase_service_role_key', 'role-key'), ('pgflow_auth_secret', '')"
    )
    net.call("track_worker_function", "crawl")
    assert invoked(net) == ["crawl"]
    url, secret, _ = requests(net)[0]
    assert (url, secret) == ("https://abc.supabase.co/functions/v1/crawl", "Bearer role-key")


def test_without_pg_net_calling_is_refused_and_the_rest_works(pg: Engine):
    pg.call("track_worker_function", "crawl")
    assert refused(pg, "select * from pgflow.ensure_workers()") == "PF014"
    pg.conn.execute(CRON)
    assert refused(pg, "select pgflow.setup_ensure_workers_cron()") == "PF014"
    assert pg.value("select count(*) from cron.job") == 0


def test_without_pg_cron_setting_up_jobs_is_refused(net: Engine):
    for function in (
        "setup_ensure_workers_cron",
        "setup_requeue_stalled_tasks_cron",
        "cleanup_ensure_workers_logs",
    ):
        assert refused(net, f"select pgflow.{function}()") == "PF014"


def test_jobs_are_set_up_once_and_do_their_work(net: Engine):
    net.conn.execute(CRON)
    net.call("setup_ensure_workers_cron", "5 seconds")
    assert "1 second" in net.call("setup_ensure_workers_cron")
    assert "15 seconds" in net.call("setup_requeue_stalled_tasks_cron")
    jobs = net.rows("select jobname, schedule, command from cron.job order by jobname")
    assert [job[:2] for job in jobs] == [
        ("pgflow_cleanup_logs", "0 * * * *"),
        ("pgflow_ensure_workers", "1 second"),
        ("pgflow_requeue_stalled_tasks", "15 seconds"),
    ]
    net.call("track_worker_function", "crawl")
    for _, _, command in jobs:
        net.conn.execute(command)
    assert len(requests(net)) == 1


def test_a_pg_cron_without_seconds_gets_minutes(net: Engine):
    net.conn.execute(CRON)
    net.conn.execute(OLD_CRON)
    assert "* * * * *" in net.call("setup_requeue_stalled_tasks_cron")
    assert refused(net, "select pgflow.setup_requeue_stalled_tasks_cron('x second')") == "22023"


def test_maintenance_is_left_to_pg_cron_or_taken_from_it(net: Engine):
    net.conn.execute(CRON)
    net.conn.execute(
        "create function cron.unschedule(job_id bigint) returns boolean language sql as"
        " 'delete from cron.job where jobid = job_id returning true'"
    )
    done_by = "select done_by from pgflow.maintenance"
    commands = "select command from cron.job"

    assert "10 seconds" in net.call("setup_maintenance")
    assert net.value(done_by) == "pg_cron"
    assert net.value(net.value(commands)) == 0

    net.call("setup_maintenance", done_by="workers")
    assert net.value(done_by) == "workers"
    assert net.rows(commands) == []


def test_notes_of_pgflows_old_jobs_go_and_others_stay(net: Engine):
    net.conn.execute(CRON)
    net.call("setup_ensure_workers_cron")
    net.conn.execute(
        """
        insert into cron.job (jobname) values ('backup');
        insert into cron.job_run_details
        select jobid, now() - make_interval(hours => hours)
        from cron.job, unnest(array[1, 30]) as hours
        """
    )
    assert net.value("select cron_deleted from pgflow.cleanup_ensure_workers_logs()") == 2
    left = net.rows(
        "select jobname, count(*) from cron.job_run_details join cron.job using (jobid)"
        " group by 1 order by 1"
    )
    assert left == [("backup", 2), ("pgflow_cleanup_logs", 1), ("pgflow_ensure_workers", 1)]


def test_two_calls_at_once_call_a_function_once(net: Engine, db: str):
    net.call("track_worker_function", "crawl")
    with psycopg.connect(db) as other:
        first = Engine(other)
        assert invoked(first) == ["crawl"]
        assert invoked(net) == []


def test_the_body_of_a_call_names_the_function(net: Engine):
    net.call("track_worker_function", "a/b-c.d")
    invoked(net)
    url, _, body = requests(net)[0]
    assert url.endswith("/a/b-c.d")
    assert json.dumps(body) == '{"function_name": "a/b-c.d"}'
