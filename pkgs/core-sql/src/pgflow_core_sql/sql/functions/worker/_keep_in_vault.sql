-- Keep a secret in Supabase's Vault, under a name.
--
-- Parameters:
--   secret_name: the name; what is kept under it is replaced.
--   secret: the secret.
-- Returns: whether it is kept; false where the database has no Vault.
-- Locks: none.
-- Writes: what Vault writes.
-- Idempotent: yes.
create or replace function pgflow._keep_in_vault(secret_name text, secret text)
returns boolean
language plpgsql
as $$
declare
  v_id uuid;
begin
  if to_regclass('vault.secrets') is null
    or not pgflow._has_function('vault', 'create_secret') then
    return false;
  end if;
  execute format('select kept.id from %I.%I as kept where kept.name = $1', 'vault', 'secrets')
  into v_id
  using _keep_in_vault.secret_name;
  if v_id is null then
    execute format('select %I.%I($1, $2)', 'vault', 'create_secret')
    using _keep_in_vault.secret, _keep_in_vault.secret_name;
  else
    execute format('select %I.%I($1, $2)', 'vault', 'update_secret')
    using v_id, _keep_in_vault.secret;
  end if;
  return true;
end
$$;

comment on function pgflow._keep_in_vault is
'Keep a secret in Supabase''s Vault, under a name.';
