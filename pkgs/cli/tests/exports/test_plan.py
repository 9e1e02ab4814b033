"""What is written into a folder of migrations, and where among those that are there."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pgflow_cli.errors import ExportChanged, MigrationsUnreadable
from pgflow_cli.exports import (
    TOOLS,
    core_pieces,
    flow_pieces,
    plan_export,
    write_export,
)
from pgflow_cli.exports.piece import ExportPiece
from pgflow_core_sql import sqlfiles
from pgflow_dsl import Flow

every_tool = pytest.mark.parametrize("tool", TOOLS)
NEWEST = sqlfiles.migrations()[-1].version


def greeting(attempts: int = 3) -> Flow[str]:
    flow = Flow("greet", input=str, max_attempts=attempts)

    @flow.step
    async def hello(name: str = flow.input) -> str:
        return f"hello {name}"

    return flow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for migrations, in that of an app."""
    return tmp_path / "shop" / "migrations"


def export(tool: str, folder: Path, pieces: list[ExportPiece]) -> list[Path]:
    planned = plan_export(TOOLS[tool], folder, pieces)
    write_export(planned)
    return [path for path in planned.files if path.name != "__init__.py"]


def contents(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in folder.iterdir():
        yield path, path.read_text()


@every_tool
def test_what_is_exported_is_not_exported_again(tool: str, folder: Path):
    pieces = core_pieces() + flow_pieces([greeting()])
    assert len(export(tool, folder, pieces)) == NEWEST + 2
    before = dict(contents(folder))
    assert export(tool, folder, pieces) == []
    assert dict(contents(folder)) == before


@every_tool
def test_what_has_changed_comes_after_everything_that_is_there(tool: str, folder: Path):
    export(tool, folder, core_pieces() + flow_pieces([greeting(3)]))
    before = dict(contents(folder))
    first = flow_pieces([greeting(3)])
    [second] = export(tool, folder, flow_pieces([greeting(4)]))
    # Back to what it was: that is a change of its own, since the last one counts.
    [third] = export(tool, folder, first)
    assert TOOLS[tool].migrations(folder)[-2:] == [second, third]
    assert before.items() <= dict(contents(folder)).items()


@every_tool
def test_a_range_of_versions_leaves_the_functions_to_the_newest(tool: str, folder: Path):
    export(tool, folder, core_pieces(1, 2))
    names = " ".join(path.name for path in TOOLS[tool].migrations(folder))
    assert names.index("0001_definition") < names.index("0002_runtime")
    assert "functions" not in names
    later = export(tool, folder, core_pieces())
    assert len(later) == NEWEST - 2 + 1
    assert TOOLS[tool].migrations(folder)[-1].stem.endswith("pgflow_functions")


@every_tool
def test_a_released_version_that_differs_is_refused(tool: str, folder: Path):
    export(tool, folder, core_pieces())
    forged = [replace(piece, digest="0" * 12) for piece in core_pieces()]
    before = dict(contents(folder))
    with pytest.raises(ExportChanged, match="core/0001"):
        export(tool, folder, forged)
    assert dict(contents(folder)) == before


@pytest.mark.parametrize("tool", ["supabase", "dbmate"])
def test_stamps_come_after_those_that_are_there_even_from_the_future(tool: str, folder: Path):
    folder.mkdir(parents=True)
    (folder / "29991231235959_users.sql").write_text("select 1;")
    stamps = [int(path.name.partition("_")[0]) for path in export(tool, folder, core_pieces())]
    assert stamps[0] == 30000101000000
    assert stamps == sorted(set(stamps))


def test_a_stamp_that_no_time_follows_is_refused(folder: Path):
    folder.mkdir(parents=True)
    (folder / "99999999999999_last.sql").write_text("select 1;")
    with pytest.raises(MigrationsUnreadable, match="no time"):
        export("supabase", folder, core_pieces())


def test_plain_files_go_on_with_as_many_digits(folder: Path):
    folder.mkdir(parents=True)
    (folder / "000041_users.sql").write_text("select 1;")
    [first, *_] = export("sql", folder, core_pieces())
    assert first.name == "000042_pgflow_0001_definition.sql"


ALEMBIC = 'revision: str = "{0}"\ndown_revision: str | None = {1}\n'


def test_alembic_goes_on_from_the_head(folder: Path):
    folder.mkdir(parents=True)
    # By name, the head comes first.
    (folder / "a_second.py").write_text(ALEMBIC.format("a2", '"b1"'))
    (folder / "b_first.py").write_text(ALEMBIC.format("b1", None))
    [written] = export("alembic", folder, flow_pieces([greeting()]))
    assert "down_revision = 'a2'" in written.read_text()


def test_alembic_with_several_heads_has_to_be_merged_first(folder: Path):
    folder.mkdir(parents=True)
    (folder / "one.py").write_text(ALEMBIC.format("one", None))
    (folder / "two.py").write_text(ALEMBIC.format("two", None))
    with pytest.raises(MigrationsUnreadable, match="one, two"):
        export("alembic", folder, core_pieces())
    (folder / "both.py").write_text(ALEMBIC.format("both", '("one", "two")'))
    [written] = export("alembic", folder, flow_pieces([greeting()]))
    assert "down_revision = 'both'" in written.read_text()


DJANGO = "class Migration:\n    dependencies = [swappable(settings.USER), ('{0}', '{1}')]\n"


def test_django_goes_on_from_the_leaf_of_the_app(folder: Path):
    folder.mkdir(parents=True)
    (folder / "0001_initial.py").write_text(DJANGO.format("auth", "0099_other_app"))
    (folder / "0002_users.py").write_text(DJANGO.format("shop", "0001_initial"))
    [written] = export("django", folder, flow_pieces([greeting()]))
    assert written.name == "0003_pgflow_flow_greet.py"
    assert "dependencies = [('shop', '0002_users')]" in written.read_text()


def test_a_file_that_is_no_python_is_named(folder: Path):
    folder.mkdir(parents=True)
    (folder / "0001_broken.py").write_text("class Migration(:")
    with pytest.raises(MigrationsUnreadable, match="0001_broken"):
        export("django", folder, core_pieces())


def test_alembic_finds_its_folder_in_its_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert TOOLS["alembic"].default_folder() is None
    Path("pyproject.toml").write_text('[tool.alembic]\nscript_location = "%(here)s/scripts"\n')
    # What `alembic init --template pyproject` leaves there is about logging alone.
    Path("alembic.ini").write_text("[loggers]\nkeys = root\n")
    assert TOOLS["alembic"].default_folder() == Path("scripts/versions")
    Path("alembic.ini").write_text("[alembic]\nscript_location = %(here)s/db/scripts\n")
    assert TOOLS["alembic"].default_folder() == Path("db/scripts/versions")
    Path("alembic.ini").unlink()
    Path("pyproject.toml").write_text("[tool.alembic\n")
    assert TOOLS["alembic"].default_folder() is None
