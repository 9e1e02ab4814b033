"""The rule for slugs, the same that the database checks."""

from __future__ import annotations

import re
from typing import Final

from pgflow_dsl.errors import DefinitionError

MAX_LENGTH: Final = 128
FLOW_INPUT: Final = "run"
"""Names the flow's input among the outputs of steps, so no step or flow may be called so."""

_SHAPE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def check_slug(slug: str, where: str) -> str:
    """Return the slug.

    Args:
        slug: What a flow or step is to be called.
        where: What an error is about.

    Raises:
        DefinitionError: It is not a slug; says which rule it breaks.
    """
    reason = _broken_rule(slug)
    if reason is not None:
        raise DefinitionError(where, f"the slug {slug!r} {reason}")
    return slug


def _broken_rule(slug: object) -> str | None:
    if not isinstance(slug, str):
        return "must be text"
    if not slug:
        return "must not be empty"
    if len(slug) > MAX_LENGTH:
        return f"has {len(slug)} characters, but at most {MAX_LENGTH} are allowed"
    if slug == FLOW_INPUT:
        return "is reserved: it names the flow's input in conditions"
    if slug[0].isascii() and slug[0].isdigit():
        return "must not start with a digit"
    if not _SHAPE.fullmatch(slug):
        return "may hold only ASCII letters, digits and underscores"
    return None
