-- List which options and schemas of a flow have changed.
--
-- Parameters:
--   options: what _get_flow_options reads now.
--   former: what it read before.
-- Returns: one sentence a change, in the order of their names; an empty array where there is none.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._compare_flow_options(options jsonb, former jsonb)
returns text []
language sql
immutable
begin atomic
  select coalesce(array_agg(
    case when field.key like '%schema' and coalesce(
        _compare_flow_options.former -> owner.key -> field.key, 'null'
      ) = 'null' then format('%s of %s is known now', field.key, owner.key)
      when field.key like '%schema' then format('%s of %s is another', field.key, owner.key)
      else format('%s of %s is %s and was %s', field.key, owner.key, field.value,
        _compare_flow_options.former -> owner.key -> field.key)
    end
    order by owner.key, field.key
  ), '{}') as changes
  from jsonb_each(_compare_flow_options.options) as owner
  cross join lateral jsonb_each(owner.value) as field
  where field.value is distinct from _compare_flow_options.former -> owner.key -> field.key;
end;

comment on function pgflow._compare_flow_options is
'List which options and schemas of a flow have changed.';
