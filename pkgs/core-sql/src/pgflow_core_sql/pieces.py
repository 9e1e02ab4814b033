"""The install as pieces of SQL, each of which a migration tool applies on its own.

A piece is one statement, so it happens as a whole or not at all, whatever the tool does about
transactions. It asks the database what it has, so it can be run again.
"""

from dataclasses import dataclass
from typing import Final

from pgflow_core_sql import sqlfiles
from pgflow_core_sql.sqlfiles import Migration, SqlFile

REWRITTEN: Final = "functions, views and rights"
# What is written anew each time has a row too, so that a check sees functions of another version.
REWRITTEN_VERSION: Final = 0

# The same lock as the migrator's: whoever installs, and by whatever means, takes turns.
LOCK: Final = "pg_advisory_xact_lock(hashtextextended('pgflow migrate', 0))"

_TABLES: Final = """\
-- pgflow {version}: {name}. Run again, it changes nothing.
do $pgflow$
declare
  v_digest text;
begin
  perform {lock};
{bootstrap}  select migration.digest into v_digest
  from pgflow.schema_migrations as migration
  where migration.version = {version};
  if v_digest = '{digest}' then
    return;
  elsif v_digest is not null then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = '{name} of pgflow was applied from another file than this one';
  elsif (
    select count(*) from pgflow.schema_migrations as migration
    where migration.version between 1 and {version}
  ) < {version} - 1 then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = '{name} of pgflow needs the versions before {version}, which are not applied';
  end if;
  execute $pgflow_sql$
{text}$pgflow_sql$;
  insert into pgflow.schema_migrations (version, name, digest)
  values ({version}, '{name}', '{digest}');
end
$pgflow$;
"""

_FUNCTIONS: Final = """\
-- pgflow {version}: {name}. Run again, it writes the same.
do $pgflow$
declare
  v_name text;
  v_text text;
  v_old text;
begin
  perform {lock};
  if (
    select count(*) from pgflow.schema_migrations as migration
    where migration.version between 1 and {version}
  ) < {version} then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = '{name} of pgflow need version {version}, which is not applied';
  elsif exists (
    select from pgflow.schema_migrations as migration where migration.version > {version}
  ) then
    raise notice 'the {name} of a newer pgflow were left as they are';
    return;
  end if;
  for v_name, v_text in
    values
{files}
  loop
    begin
      execute v_text;
    exception
      -- What an older version has by this name is too different to be replaced.
      when invalid_function_definition or ambiguous_function or invalid_table_definition then
        for v_old in
          select 'function ' || proc.oid::regprocedure::text
          from pg_catalog.pg_proc as proc
          where proc.pronamespace = 'pgflow'::regnamespace and proc.proname = v_name
          union all
          select 'view ' || class.oid::regclass::text
          from pg_catalog.pg_class as class
          where class.relnamespace = 'pgflow'::regnamespace and class.relname = v_name
            and class.relkind = 'v'
        loop
          begin
            execute 'drop ' || v_old;
          exception
            -- It may be the very one, which is then written over.
            when dependent_objects_still_exist then null;
          end;
        end loop;
        execute v_text;
    end;
  end loop;
  execute $pgflow_sql$
{grants}$pgflow_sql$;
  insert into pgflow.schema_migrations as migration (version, name, digest)
  values ({row}, '{name}', '{digest}')
  on conflict (version) do update
  set name = excluded.name, digest = excluded.digest, applied_at = now()
  where migration.digest <> excluded.digest;
end
$pgflow$;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of the install.

    Attributes:
        name: What it is, as part of a file's name: "0003_participants", "functions".
        version: The schema version that it makes, or that it belongs to.
        digest: SHA-256 of what it applies, in hex.
        sql: One statement, after a comment.
        is_rewritten: Whether it is written anew with each version of pgflow.
    """

    name: str
    version: int
    digest: str
    sql: str
    is_rewritten: bool = False


def install_pieces(first: int = 1, last: int | None = None) -> tuple[Piece, ...]:
    """Return the install in the order in which it has to be applied.

    Args:
        first: Schema version to begin with.
        last: Schema version to end with; None is the newest. The functions, views and rights
            belong to the newest, and are left out where it is.

    Raises:
        ValueError: There is no such range of versions.
    """
    newest = sqlfiles.migrations()[-1].version
    end = newest if last is None else last
    if not 1 <= first <= end <= newest:
        raise ValueError(f"there are the versions 1 to {newest}, and no range {first} to {end}")
    pieces = [_tables(each) for each in sqlfiles.migrations() if first <= each.version <= end]
    return (*pieces, _functions(newest)) if end == newest else tuple(pieces)


def _tables(migration: Migration) -> Piece:
    bootstrap = ""
    if migration.version == 1:
        bootstrap = f"  execute $pgflow_sql$\n{sqlfiles.bootstrap().text}$pgflow_sql$;\n"
    name = migration.name.removeprefix("migrations/").removesuffix(".sql")
    sql = _TABLES.format(
        version=migration.version,
        name=migration.name,
        digest=migration.digest,
        lock=LOCK,
        bootstrap=bootstrap,
        text=migration.text,
    )
    return Piece(name=name, version=migration.version, digest=migration.digest, sql=sql)


def _functions(version: int) -> Piece:
    digest = sqlfiles.digest_of_rewritten()
    sql = _FUNCTIONS.format(
        version=version,
        name=REWRITTEN,
        row=REWRITTEN_VERSION,
        digest=digest,
        lock=LOCK,
        files=",\n".join(_row(file) for file in (*sqlfiles.functions(), *sqlfiles.views())),
        grants=sqlfiles.grants().text,
    )
    return Piece(name="functions", version=version, digest=digest, sql=sql, is_rewritten=True)


def _row(file: SqlFile) -> str:
    return f"('{file.stem}', $pgflow_sql$\n{file.text}$pgflow_sql$)"
