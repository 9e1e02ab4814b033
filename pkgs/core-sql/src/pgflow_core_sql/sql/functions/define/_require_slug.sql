-- Raise unless a text can name a flow or a step.
--
-- Parameters:
--   kind: 'flow' or 'step', for the message.
--   slug: the text.
-- Returns: nothing.
-- Errors: PF004 the text is no slug.
-- Locks: none.
-- Idempotent: yes.
create or replace function pgflow._require_slug(kind text, slug text)
returns void
language plpgsql
as $$
begin
  if not pgflow.is_valid_slug(_require_slug.slug) then
    raise exception using
      errcode = 'PF004',
      message = format(
        '%L is not a valid %s slug', left(_require_slug.slug, 200), _require_slug.kind
      ),
      detail = format('%s_slug=%s', _require_slug.kind, left(_require_slug.slug, 200)),
      hint = 'a slug has 1 to 128 letters, digits and underscores, starts with no digit, '
        'and is not the word run';
  end if;
end
$$;

comment on function pgflow._require_slug is 'Raise unless a text can name a flow or a step.';
