-- The partitions of the tables that have one row or more a run, where they are partitioned. Their
-- bounds are ids of runs, of which the first 48 bits are milliseconds.
create or replace view pgflow.partitions as
with known as (
  select
    parent.relname::text as table_name,
    child.relname::text as partition_name,
    pg_catalog.pg_get_expr(child.relpartbound, child.oid) as bound
  from pg_catalog.pg_partitioned_table as partitioned
  inner join pg_catalog.pg_class as parent on partitioned.partrelid = parent.oid
  inner join pg_catalog.pg_inherits as made on parent.oid = made.inhparent
  inner join pg_catalog.pg_class as child on made.inhrelid = child.oid
  where parent.relnamespace = 'pgflow'::regnamespace
),

bounded as (
  select
    known.table_name,
    known.partition_name,
    substring(known.bound from 'FROM \(''([0-9a-f-]{36})''\)')::uuid as first_id,
    substring(known.bound from 'TO \(''([0-9a-f-]{36})''\)')::uuid as end_id
  from known
)

select
  bounded.table_name,
  bounded.partition_name,
  bounded.first_id,
  bounded.end_id,
  to_timestamp(
    ('x' || left(replace(bounded.first_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0
  ) as starts_at,
  to_timestamp(
    ('x' || left(replace(bounded.end_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0
  ) as ends_at
from bounded;

comment on view pgflow.partitions is
'Partitions by month, where partition_by_month was called; no row elsewhere.';

comment on column pgflow.partitions.table_name is 'The table.';
comment on column pgflow.partitions.partition_name is
'The partition, a table in the schema pgflow_partitions.';
comment on column pgflow.partitions.first_id is
'The smallest id of a run in it; NULL where all earlier ones are, too, and for the default one.';
comment on column pgflow.partitions.end_id is
'The smallest id after those in it; NULL for the default one, which has all ids that are in no '
'other.';
comment on column pgflow.partitions.starts_at is 'The instant of first_id.';
comment on column pgflow.partitions.ends_at is 'The instant of end_id.';
