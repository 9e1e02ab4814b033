-- Read how worker functions are called.
--
-- Parameters:
--   name: url_base or auth_secret.
-- Returns: what configure_worker_functions was given; else what a Supabase project has in its
--   Vault: the URL of its functions by supabase_project_id, and supabase_service_role_key. NULL
--   where there is neither.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._invocation_setting(name text)
returns text
language plpgsql
as $$
declare
  v_value text := (
    select nullif(setting.value, '')
    from pgflow.invocation_settings as setting
    where setting.name = _invocation_setting.name
  );
begin
  if _invocation_setting.name = 'auth_secret' then
    return coalesce(
      pgflow._vault_secret('pgflow_auth_secret'), v_value,
      pgflow._vault_secret('supabase_service_role_key')
    );
  end if;
  return coalesce(
    v_value,
    'https://' || pgflow._vault_secret('supabase_project_id') || '.supabase.co/functions/v1'
  );
end
$$;

comment on function pgflow._invocation_setting is 'Read how worker functions are called.';
