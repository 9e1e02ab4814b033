-- How long runs are kept, and who looks after that.

create table pgflow.retention_policies (
  flow_slug text collate "C" primary key,
  retention interval not null,
  constraint flow_or_all_others check (
    flow_slug = '*' or flow_slug ~ '^[A-Za-z_][A-Za-z0-9_]{0,127}$'
  ),
  constraint retention_is_not_negative check (retention >= '0')
);

comment on table pgflow.retention_policies is
'One row a flow whose runs are deleted a while after their end; set by set_retention.';
comment on column pgflow.retention_policies.flow_slug is
'The flow; ''*'' is all that have no row of their own.';
comment on column pgflow.retention_policies.retention is
'How long its runs are kept after their end.';

create table pgflow.maintenance (
  is_only boolean primary key default true,
  done_by text not null,
  due_at timestamptz not null default now(),
  constraint there_is_one_row check (is_only),
  constraint done_by_is_known check (done_by in ('pg_cron', 'workers'))
);

comment on table pgflow.maintenance is
'One row where setup_maintenance was called; without it, nothing is deleted by itself.';
comment on column pgflow.maintenance.is_only is 'Always true, so that there is one row.';
comment on column pgflow.maintenance.done_by is
'Who prunes by the policies: ''pg_cron'', or the ''workers'' in their sweep.';
comment on column pgflow.maintenance.due_at is 'When the workers look again, at the earliest.';
