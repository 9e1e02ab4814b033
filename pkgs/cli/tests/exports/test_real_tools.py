"""What is exported is applied by the tools that it is for."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pgflow_cli.embedded import EmbeddedServer
from pgflow_cli.exports import TOOLS, core_pieces, flow_pieces, plan_export, write_export
from pgflow_core_sql import Migrator
from pgflow_dsl import Flow
from psycopg.conninfo import conninfo_to_dict

from tests.support.proxy import proxy

ALEMBIC_ENV = """
import os
from alembic import context
from sqlalchemy import create_engine

if context.is_offline_mode():
    context.configure(
        url="postgresql+psycopg://", literal_binds=True, dialect_opts={"paramstyle": "named"}
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(os.environ["URL"].replace("://", "+psycopg://", 1)).connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
"""
ALEMBIC_INI = "[alembic]\nscript_location = %(here)s/scripts\npath_separator = os\n"

DJANGO = """
import os, sys
import django
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict

to = conninfo_to_dict(os.environ["URL"])
settings.configure(
    INSTALLED_APPS=["shop"],
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": to["dbname"], "USER": to["user"],
        "HOST": to["host"], "PORT": to["port"],
    }},
)
django.setup()
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", *sys.argv[1:]])
"""


def tricky() -> Flow[str]:
    """A flow whose text has all that a tool might take for something of its own."""
    flow = Flow("tricky", input=str)

    @flow.step(when={flow: {"text": '100% :name \\:x $1 {{ }} """ $$ \'é'}})
    async def only(text: str = flow.input) -> str:
        return text

    return flow


class Shop:
    """A project of a team that uses one of the tools, with a database that has nothing yet."""

    def __init__(self, root: Path, url: str, tcp_url: str) -> None:
        self.root = root
        self.url = url
        # For those that do not know Unix sockets.
        self.tcp_url = tcp_url

    def run(self, *words: str | Path, **env: str) -> str:
        done = subprocess.run(
            words,
            cwd=self.root,
            env={**os.environ, "URL": self.url, "PYTHONPATH": str(self.root), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def apply_plain(self, folder: Path) -> None:
        """As `psql` does: file by file, by name."""
        for path in sorted(folder.iterdir()):
            with psycopg.connect(self.url, autocommit=True, client_encoding="UTF8") as conn:
                conn.execute(path.read_bytes())


def plain(shop: Shop) -> tuple[Path, Callable[[], object]]:
    folder = shop.root / "sql"
    return folder, lambda: shop.apply_plain(folder)


def supabase(shop: Shop) -> tuple[Path, Callable[[], object]]:
    program = shutil.which("supabase")
    if program is None:
        pytest.skip("the Supabase CLI is not installed here (npm install --global supabase)")
    folder = shop.root / "supabase" / "migrations"
    folder.mkdir(parents=True)
    (folder.parent / "config.toml").write_text('project_id = "shop"\n')
    return folder, lambda: shop.run(
        *(program, "db", "push", "--yes", "--db-url", shop.tcp_url),
        HOME=str(shop.root),
        SUPABASE_TELEMETRY_DISABLED="1",
    )


def alembic(shop: Shop) -> tuple[Path, Callable[[], object]]:
    folder = shop.root / "scripts" / "versions"
    folder.mkdir(parents=True)
    (shop.root / "alembic.ini").write_text(ALEMBIC_INI)
    (shop.root / "scripts" / "env.py").write_text(ALEMBIC_ENV)
    (shop.root / "scripts" / "script.py.mako").write_text("")
    return folder, lambda: shop.run(sys.executable, "-m", "alembic", "upgrade", "head")


def django(shop: Shop) -> tuple[Path, Callable[[], object]]:
    folder = shop.root / "shop" / "migrations"
    folder.parent.mkdir()
    (folder.parent / "__init__.py").touch()
    (shop.root / "manage.py").write_text(DJANGO)
    return folder, lambda: shop.run(sys.executable, "manage.py", "migrate")


def dbmate(shop: Shop) -> tuple[Path, Callable[[], object]]:
    folder = shop.root / "db" / "migrations"
    program = shutil.which("dbmate", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("dbmate is not installed here")
    url = f"{shop.url}&sslmode=disable"
    return folder, lambda: shop.run(program, "--url", url, "--no-dump-schema", "up")


PROJECTS = {
    "sql": plain,
    "supabase": supabase,
    "alembic": alembic,
    "django": django,
    "dbmate": dbmate,
}


@pytest.fixture
def shop(
    tmp_path: Path, postgres: EmbeddedServer, db: str, conn: psycopg.Connection[Any]
) -> Iterator[Shop]:
    conn.execute("drop schema pgflow cascade")
    with proxy(postgres) as tcp:
        yield Shop(tmp_path, db, tcp.url(str(conninfo_to_dict(db)["dbname"])))


def export(tool: str, folder: Path, pieces: list[Any]) -> None:
    write_export(plan_export(TOOLS[tool], folder, pieces))


@pytest.mark.parametrize("tool", PROJECTS)
def test_the_tool_installs_pgflow_and_defines_flows(
    tool: str, shop: Shop, conn: psycopg.Connection[Any]
):
    folder, apply = PROJECTS[tool](shop)
    # Version by version, as releases come.
    export(tool, folder, core_pieces(1, 3))
    apply()
    assert Migrator(shop.url).installed() == 3
    export(tool, folder, core_pieces() + flow_pieces([tricky()]))
    apply()
    apply()

    migrator = Migrator(shop.url)
    assert migrator.pending() == ()
    assert migrator.drift() == ()
    pattern = conn.execute("select required_input_pattern ->> 'text' from pgflow.steps").fetchone()
    assert pattern == ('100% :name \\:x $1 {{ }} """ $$ \'é',)


def test_alembic_prints_a_script_that_does_the_same(shop: Shop, conn: psycopg.Connection[Any]):
    folder, _ = alembic(shop)
    export("alembic", folder, core_pieces() + flow_pieces([tricky()]))
    script = shop.run(sys.executable, "-m", "alembic", "upgrade", "head", "--sql")
    conn.execute(script.encode())
    assert Migrator(shop.url).pending() == ()
    assert Migrator(shop.url).drift() == ()


@pytest.mark.parametrize("tool", ["alembic", "django", "dbmate"])
def test_going_down_takes_nothing_back_and_up_again_works(
    tool: str, shop: Shop, conn: psycopg.Connection[Any]
):
    folder, apply = PROJECTS[tool](shop)
    export(tool, folder, core_pieces())
    apply()
    down = {
        "alembic": (sys.executable, "-m", "alembic", "downgrade", "base"),
        "django": (sys.executable, "manage.py", "migrate", "shop", "zero"),
        "dbmate": ("dbmate", "--url", f"{shop.url}&sslmode=disable", "--no-dump-schema", "down"),
    }[tool]
    program = shutil.which(down[0], path=str(Path(sys.executable).parent)) or down[0]
    shop.run(program, *down[1:])
    apply()
    assert Migrator(shop.url).pending() == ()
