-- What the suite itself keeps in the database: every change of a status, and a way to be slow.

create schema chaos;

create table chaos.log (
  kind text not null,
  run_id uuid not null,
  step_slug text,
  task_index int,
  was text not null,
  became text not null,
  attempt int,
  worker_id uuid,
  at timestamptz not null default clock_timestamp()
);

create index on chaos.log (run_id, step_slug, task_index, at);

create function chaos.log_task() returns trigger language plpgsql as $$
begin
  insert into chaos.log (kind, run_id, step_slug, task_index, was, became, attempt, worker_id)
  values (
    'task', new.run_id, new.step_slug, new.task_index, old.status, new.status, new.attempts_count,
    new.last_worker_id
  );
  return null;
end
$$;

create function chaos.log_step() returns trigger language plpgsql as $$
begin
  insert into chaos.log (kind, run_id, step_slug, was, became)
  values ('step', new.run_id, new.step_slug, old.status, new.status);
  return null;
end
$$;

create function chaos.log_run() returns trigger language plpgsql as $$
begin
  insert into chaos.log (kind, run_id, was, became)
  values ('run', new.run_id, old.status, new.status);
  return null;
end
$$;

create trigger log_task after update on pgflow.step_tasks for each row
when (old.status <> new.status or old.attempts_count <> new.attempts_count)
execute function chaos.log_task();

create trigger log_step after update on pgflow.step_states for each row
when (old.status <> new.status) execute function chaos.log_step();

create trigger log_run after update on pgflow.runs for each row
when (old.status <> new.status) execute function chaos.log_run();

-- What the handlers of transactional steps write.
create table chaos.effects (run_id uuid not null, step_slug text not null, token text not null);

-- Seconds that every statement takes longer which changes tasks: 0, or as a slow disk makes it.
create table chaos.slowness (seconds double precision not null);
insert into chaos.slowness values (0);

create function chaos.drag() returns trigger language plpgsql as $$
begin
  perform pg_sleep(slowness.seconds) from chaos.slowness where slowness.seconds > 0;
  return null;
end
$$;

create trigger drag after update on pgflow.step_tasks for each statement
execute function chaos.drag();
