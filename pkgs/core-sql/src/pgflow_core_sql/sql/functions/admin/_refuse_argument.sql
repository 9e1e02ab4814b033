-- Raise the error that a call cannot be made with an argument.
--
-- Parameters:
--   problem: what is wrong, in words.
--   detail: the argument and its value; NULL is none.
-- Returns: never.
-- Errors: PF015 always.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._refuse_argument(problem text, detail text)
returns void
language plpgsql
as $$
begin
  raise exception using
    errcode = 'PF015',
    message = _refuse_argument.problem,
    detail = coalesce(_refuse_argument.detail, '');
end
$$;

comment on function pgflow._refuse_argument is
'Raise the error that a call cannot be made with an argument.';
