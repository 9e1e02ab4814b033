-- Read a secret from Supabase's Vault.
--
-- Parameters:
--   secret_name: its name.
-- Returns: the secret; NULL where it is empty or not there, or the database has no Vault.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._vault_secret(secret_name text)
returns text
language plpgsql
as $$
declare
  v_secret text;
begin
  if to_regclass('vault.decrypted_secrets') is null then
    return null;
  end if;
  -- By name at run time: most databases have no such view.
  execute format(
    'select kept.decrypted_secret from %I.%I as kept where kept.name = $1 limit 1',
    'vault', 'decrypted_secrets'
  )
  into v_secret
  using _vault_secret.secret_name;
  return nullif(v_secret, '');
end
$$;

comment on function pgflow._vault_secret is 'Read a secret from Supabase''s Vault.';
