-- Read all of a flow's definition that may change without changing its structure.
--
-- Parameters:
--   flow_slug: the flow.
-- Returns: {"the flow": {...}, "step <slug>": {...}}, each with its options and schemas by the
--   names of their columns, without the prefix `opt_`; NULL for a flow that does not exist.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._get_flow_options(flow_slug text)
returns jsonb
language sql
stable
begin atomic
  select jsonb_object_agg(owner.name, (
    select jsonb_object_agg(regexp_replace(field.key, '^opt_', ''), field.value) as options
    from jsonb_each(owner.definition) as field
    where field.key ~ '^opt_|_schema$' or field.key = 'takes_flow_input'
  )) as owners
  from (
    select
      'the flow' as name,
      to_jsonb(flow) as definition
    from pgflow.flows as flow
    where flow.flow_slug = _get_flow_options.flow_slug
    union all
    select
      'step ' || step.step_slug as name,
      to_jsonb(step) as definition
    from pgflow.steps as step
    where step.flow_slug = _get_flow_options.flow_slug
  ) as owner;
end;

comment on function pgflow._get_flow_options is
'Read all of a flow''s definition that may change without changing its structure.';
