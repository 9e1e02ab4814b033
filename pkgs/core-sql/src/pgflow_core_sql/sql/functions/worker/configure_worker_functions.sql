-- Say where worker functions are called, and with which secret.
--
-- For whoever owns the schema. The secret is kept in Supabase's Vault where the database has it,
-- else in a table that only functions of this schema read.
--
-- Parameters:
--   url_base: what comes before /<function_name>, such as https://workers.example.com; NULL leaves
--     it, '' forgets it. A row of worker_functions with a url of its own does without it.
--   auth_secret: what is sent as a bearer token; NULL leaves it, '' forgets it.
-- Returns: what is known now, in words, without the secret.
-- Errors: PF015 url_base is no URL of http or https, or has a query in it.
-- Locks: rows of invocation_settings.
-- Writes: invocation_settings, Vault.
-- Idempotent: yes.
create or replace function pgflow.configure_worker_functions(
  url_base text default null, auth_secret text default null
)
returns text
language plpgsql
set search_path to pg_catalog, pg_temp
as $$
declare
  v_in_vault boolean := configure_worker_functions.auth_secret is not null
    and pgflow._keep_in_vault('pgflow_auth_secret', configure_worker_functions.auth_secret);
begin
  if configure_worker_functions.url_base !~ '^(https?://[^\s/?#]+[^\s?#]*)?$' then
    perform pgflow._refuse_argument(
      'url_base is where worker functions are called: https://workers.example.com, say',
      format('url_base=%s', left(configure_worker_functions.url_base, 200))
    );
  end if;
  insert into pgflow.invocation_settings as setting (name, value)
  select given.name, given.value
  from (
    values
    ('url_base', rtrim(configure_worker_functions.url_base, '/')),
    -- What was there before Vault is not to outlive it.
    (
      'auth_secret',
      case when v_in_vault then '' else configure_worker_functions.auth_secret end
    )
  ) as given (name, value)
  where given.value is not null
  on conflict on constraint invocation_settings_pkey do update
  set value = excluded.value;
  return format(
    'worker functions are called at %s, %s',
    coalesce(pgflow._invocation_setting('url_base') || '/<function_name>', 'their own url'),
    case
      when pgflow._invocation_setting('auth_secret') is null then 'but no secret is known'
      when pgflow._vault_secret('pgflow_auth_secret') is not null then 'with a secret from Vault'
      else 'with a secret'
    end
  );
end
$$;

comment on function pgflow.configure_worker_functions is
'Say where worker functions are called, and with which secret.';
