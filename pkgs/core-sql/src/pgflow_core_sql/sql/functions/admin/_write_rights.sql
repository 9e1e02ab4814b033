-- Write the statements that give a function, view or table the rights and comments of another.
--
-- Parameters:
--   classid, objid: the one that has them, as pg_depend names it.
--   kind, identity: the one that is to get them: 'function', 'view' or 'table', and its name.
-- Returns: the statements; never NULL.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._write_rights(
  classid oid, objid oid, kind text, identity text
)
returns text
language plpgsql
stable
as $$
begin
  return concat_ws(
    e';\n',
    case when _write_rights.kind = 'function' then format(
      'revoke all on function %s from public', _write_rights.identity
    ) end,
    (
      select string_agg(
        format(
          'grant %s on %s %s to %s%s', item.privilege_type,
          case _write_rights.kind when 'function' then 'function' else 'table' end,
          _write_rights.identity,
          case item.grantee when 0 then 'public' else item.grantee::regrole::text end,
          case when item.is_grantable then ' with grant option' else '' end
        ), e';\n'
      )
      from (
        select coalesce(proc.proacl, acldefault('f', proc.proowner)) as acl, proc.proowner as owner
        from pg_catalog.pg_proc as proc
        where proc.oid = _write_rights.objid
          and _write_rights.classid = 'pg_catalog.pg_proc'::regclass
        union all
        select class.relacl, class.relowner
        from pg_catalog.pg_class as class
        where class.oid = _write_rights.objid
          and _write_rights.classid = 'pg_catalog.pg_class'::regclass
      ) as held
      cross join lateral aclexplode(held.acl) as item
      where item.grantee <> held.owner
    ),
    (
      select string_agg(
        case when described.objsubid = 0
          then format('comment on %s %s', _write_rights.kind, _write_rights.identity)
          else format('comment on column %s.%I', _write_rights.identity, attribute.attname)
        end || format(' is %L', described.description), e';\n'
      )
      from pg_catalog.pg_description as described
      left join pg_catalog.pg_attribute as attribute
        on attribute.attrelid = described.objoid and attribute.attnum = described.objsubid
      where described.objoid = _write_rights.objid and described.classoid = _write_rights.classid
    )
  );
end
$$;

comment on function pgflow._write_rights is
'Write the statements that give a function, view or table the rights and comments of another.';
