"""A flow whose structure changes: the shapes of its versions, and how they are made."""

from typing import Any, Final

from psycopg.types.json import Jsonb

from core_sql_support.engine import Engine

A: Final = {"slug": "a"}
B: Final = {"slug": "b", "dependencies": ["a"]}
C: Final = {"slug": "c", "dependencies": ["b"]}


def shape(*steps: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Return the shape of the flow with these steps."""
    return {"flow_slug": "site", "options": options, "steps": list(steps)}


def ensure(pg: Engine, code: Any, **named: Any) -> dict[str, Any]:
    """Compile the flow as a worker does, which makes a version of another structure."""
    named = {"make_version": True} | named
    places = "".join(f", {name} => %s" for name in named)
    answer = pg.value(
        f"select pgflow.ensure_flow_compiled('site', %s{places})", Jsonb(code), *named.values()
    )
    assert answer["status"] == "verified" or answer["updates"] == []
    return answer


def two_versions(pg: Engine) -> None:
    """Define a flow of the steps a and b, and a second version of a alone."""
    ensure(pg, shape(A, B))
    ensure(pg, shape(A))
    pg.serve("site", "site@2")
