-- Workers behind a URL, which the database calls when there is work and none of them runs.

create table pgflow.worker_functions (
  function_name text primary key,
  enabled boolean not null default true,
  debounce interval not null default '6 seconds',
  flow_slugs text [] not null default '{}',
  url text,
  last_invoked_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint function_name_is_a_path check (
    function_name ~ '^[A-Za-z0-9_-][A-Za-z0-9_./-]*$' and function_name not like '%..%'
  ),
  constraint debounce_is_a_second_or_more check (debounce >= '1 second')
);

comment on table pgflow.worker_functions is
'One row a worker behind a URL, for ensure_workers to call.';
comment on column pgflow.worker_functions.function_name is
'Its name, which its workers register with; also the end of its URL.';
comment on column pgflow.worker_functions.enabled is 'Whether it is to be called.';
comment on column pgflow.worker_functions.debounce is 'Shortest time between two calls.';
comment on column pgflow.worker_functions.flow_slugs is
'The flows it serves: it is called only when one of them has work. Without any, whenever no worker '
'of it runs.';
comment on column pgflow.worker_functions.url is
'Where it is called; NULL is the common base and its name.';
comment on column pgflow.worker_functions.last_invoked_at is 'When it was last called.';
comment on column pgflow.worker_functions.created_at is 'When it was first tracked.';
comment on column pgflow.worker_functions.updated_at is 'When it was last tracked.';

-- Nobody but the functions of this schema reads it: one of its values is a secret.
create table pgflow.invocation_settings (
  name text primary key,
  value text not null,
  constraint name_is_known check (name in ('url_base', 'auth_secret'))
);

comment on table pgflow.invocation_settings is
'How worker functions are called; written by configure_worker_functions, and for nobody to read.';
comment on column pgflow.invocation_settings.name is
'url_base, or auth_secret where the database has no Vault.';
comment on column pgflow.invocation_settings.value is 'Its value.';

-- Serves: ensure_workers, to see whether a worker of a function runs.
create index workers_of_function_idx on pgflow.workers (function_name) where stopped_at is null;
