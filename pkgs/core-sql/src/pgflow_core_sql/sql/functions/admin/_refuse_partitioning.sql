-- Raise where the tables cannot be partitioned as they are.
--
-- Returns: nothing.
-- Errors: PF019 something that is not of this schema depends on one of the tables.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._refuse_partitioning()
returns void
language plpgsql
as $$
declare
  v_others text := (
    select string_agg(pg_describe_object(other.classid, other.objid, 0), ', ')
    from (
      select addition.classid, addition.objid from pgflow._find_additions() as addition
      -- A policy is both.
      union
      select dependent.classid, dependent.objid
      from pgflow._find_dependents() as dependent
      cross join lateral pg_identify_object(dependent.classid, dependent.objid, 0) as object
      where object.schema is distinct from 'pgflow' or object.type not in ('function', 'view')
      limit 20
    ) as other
  );
begin
  if v_others is not null then
    raise exception using
      errcode = 'PF019',
      message = 'tables of pgflow cannot be partitioned while others depend on them',
      detail = v_others,
      hint = 'Drop these, and make them again afterwards.';
  end if;
end
$$;

comment on function pgflow._refuse_partitioning is
'Raise where the tables cannot be partitioned as they are.';
