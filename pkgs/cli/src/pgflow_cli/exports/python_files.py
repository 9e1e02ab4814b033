"""Migrations that are Python files, which name those they come after: Alembic's and Django's."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, Final

from pgflow_cli.errors import MigrationsUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pgflow_cli.exports.piece import ExportPiece

__all__ = ["AlembicFiles", "DjangoFiles"]

_ALEMBIC: Final = '''\
"""{name}.

Revision ID: {revision}
Revises: {down}
"""

# {mark}

from alembic import op
from sqlalchemy import text

revision = {revision!r}
down_revision = {down!r}
branch_labels = None
depends_on = None

SQL = {sql}


def upgrade() -> None:
    # A colon would begin a parameter.
    op.execute(text(SQL.replace(":", r"\\:")))


def downgrade() -> None:
    # Nothing is taken back: runs may need it, and to apply it again changes nothing.
    pass
'''

_DJANGO: Final = """\
# {mark}

from django.db import migrations

SQL = {sql}


class Migration(migrations.Migration):
    dependencies = {dependencies!r}

    # Nothing is taken back: runs may need it, and to apply it again changes nothing.
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """A migration that is there.

    Attributes:
        path: Its file.
        name: What others call it.
        after: The ones that it comes after.
    """

    path: Path
    name: str
    after: tuple[str, ...]


class AlembicFiles:
    """Files of Alembic."""

    def migrations(self, folder: Path) -> list[Path]:
        """Return the revisions, each after those that it revises."""
        return _in_order(self._nodes(folder))

    def files(self, folder: Path, pieces: Sequence[ExportPiece]) -> dict[Path, str]:
        """Chain the pieces to the head, of which there may be only one."""
        heads = _ends(self._nodes(folder))
        if len(heads) > 1:
            raise MigrationsUnreadable(
                folder, f"has several heads: {', '.join(heads)}; merge them first"
            )
        down = heads[0] if heads else None
        files: dict[Path, str] = {}
        for piece in pieces:
            revision = hashlib.sha256(f"{piece.mark} {down}".encode()).hexdigest()[:12]
            files[folder / f"{revision}_{piece.name}.py"] = _ALEMBIC.format(
                name=piece.name,
                revision=revision,
                down=down,
                mark=piece.mark,
                sql=_literal(_one_statement(piece.sql)),
            )
            down = revision
        return files

    def _nodes(self, folder: Path) -> dict[str, _Node]:
        nodes: dict[str, _Node] = {}
        for path, tree in _modules(folder):
            values = _assigned(tree.body)
            name, after = values.get("revision"), values.get("down_revision")
            if isinstance(name, str):
                downs = (after,) if isinstance(after, str) else tuple(after or ())
                nodes[name] = _Node(path=path, name=name, after=downs)
        return nodes


class DjangoFiles:
    """Files of an app of Django."""

    def migrations(self, folder: Path) -> list[Path]:
        """Return the migrations of the app, each after those that it depends on."""
        return _in_order(self._nodes(folder))

    def files(self, folder: Path, pieces: Sequence[ExportPiece]) -> dict[Path, str]:
        """Number the pieces on, and have each depend on the one before."""
        nodes = self._nodes(folder)
        leaves = _ends(nodes)
        if len(leaves) > 1:
            raise MigrationsUnreadable(
                folder, f"has several leaves: {', '.join(leaves)}; run makemigrations --merge"
            )
        app = folder.resolve().parent.name
        number = max((_number_of(name) for name in nodes), default=0)
        dependencies = [(app, leaf) for leaf in leaves]
        files: dict[Path, str] = {}
        if not (folder / "__init__.py").exists():
            files[folder / "__init__.py"] = ""
        for piece in pieces:
            number += 1
            name = f"{number:04}_{piece.name}"
            files[folder / f"{name}.py"] = _DJANGO.format(
                mark=piece.mark, sql=_literal(piece.sql), dependencies=dependencies
            )
            dependencies = [(app, name)]
        return files

    def _nodes(self, folder: Path) -> dict[str, _Node]:
        app = folder.resolve().parent.name
        nodes: dict[str, _Node] = {}
        for path, tree in _modules(folder):
            body = next(
                (
                    each.body
                    for each in tree.body
                    if isinstance(each, ast.ClassDef) and each.name == "Migration"
                ),
                None,
            )
            if body is not None:
                given = _assigned(body).get("dependencies") or ()
                after = tuple(each[1] for each in given if each is not None and each[0] == app)
                nodes[path.stem] = _Node(path=path, name=path.stem, after=after)
        return nodes


def _modules(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    paths = sorted(folder.glob("*.py")) if folder.is_dir() else []
    for path in paths:
        try:
            yield path, ast.parse(path.read_bytes(), str(path))
        except (SyntaxError, ValueError) as error:
            raise MigrationsUnreadable(path, f"is no Python: {error}") from None


def _assigned(body: Sequence[ast.stmt]) -> dict[str, Any]:
    """Return the values of names that are plain data; in a list, None stands for what is not."""
    values: dict[str, Any] = {}
    for line in body:
        if isinstance(line, ast.Assign):
            target, value = line.targets[0], line.value
        elif isinstance(line, ast.AnnAssign) and line.value is not None:
            target, value = line.target, line.value
        else:
            continue
        if isinstance(target, ast.Name):
            values[target.id] = _data(value)
    return values


def _data(value: ast.expr) -> Any:
    try:
        return ast.literal_eval(value)
    except ValueError:
        if isinstance(value, ast.List | ast.Tuple):
            return [_data(each) for each in value.elts]
        return None


def _ends(nodes: Mapping[str, _Node]) -> list[str]:
    """Return those that no other comes after."""
    followed = {name for node in nodes.values() for name in node.after}
    return sorted(nodes.keys() - followed)


def _in_order(nodes: Mapping[str, _Node]) -> list[Path]:
    graph = {name: nodes[name].after for name in sorted(nodes)}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        folder = next(iter(nodes.values())).path.parent
        raise MigrationsUnreadable(folder, f"goes round in circles: {error.args[1]}") from None
    return [nodes[name].path for name in order if name in nodes]


def _number_of(name: str) -> int:
    digits = name.partition("_")[0]
    return int(digits) if digits.isdecimal() else 0


def _one_statement(sql: str) -> str:
    """Make one statement of several: some drivers take no more at once."""
    if "do $pgflow$" in sql:
        return sql
    return f"do $pgflow$\nbegin\n  execute $pgflow_sql$\n{sql}$pgflow_sql$;\nend\n$pgflow$;\n"


def _literal(sql: str) -> str:
    """Spell a text in Python, as it is to read where that is possible."""
    return repr(sql) if '"""' in sql else f'r"""{sql}"""'
