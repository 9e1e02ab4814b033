"""Naming flows in code: modules, files, packages, and what is said of those that do not import."""

import pytest

from .conftest import Command

FLOW = """from pgflow_dsl import Flow
flow = Flow({slug!r})
@flow.step
def one() -> int: return 1
"""
HELD = """from pgflow_dsl import job
class Holder:
    @job
    def deep() -> int: return 1
"""


@pytest.fixture
def project(pgflow: Command) -> Command:
    files = {
        "shop/__init__.py": "",
        "shop/flows.py": "from shop.slugs import SLUG\n" + FLOW.replace("{slug!r}", "SLUG"),
        "shop/slugs.py": "SLUG = 'order'\n",
        "odd/queue.py": FLOW.format(slug="queued"),
        "01-hello.py": FLOW.format(slug="hello"),
        "several.py": FLOW.format(slug="same") + "other = Flow('same')\n",
        "talking.py": "print('on import')\n" + FLOW.format(slug="talk"),
        "jobs.py": "from pgflow_dsl import job\n@job\ndef ping(name: str) -> str: return name\n",
        "held.py": HELD,
        "ending.py": "import sys\nsys.exit('enough')\n",
        "calling.py": "import shop.broken\n",
        "shop/broken.py": "limit = 10\nlimit = limit / 0\n",
        "wrong.py": "from pgflow_dsl import Flow\nflow = Flow('not a slug')\n",
    }
    for folder in ("shop", "odd"):
        (pgflow.folder / folder).mkdir()
    for name, text in files.items():
        (pgflow.folder / name).write_text(text)
    return pgflow


@pytest.mark.parametrize(
    ("target", "slug"),
    [
        ("shop.flows:flow", "order"),
        ("shop/flows.py:flow", "order"),
        ("shop/flows.py", "order"),
        # Python has a module of that name.
        ("odd/queue.py", "queued"),
        ("01-hello.py:flow", "hello"),
        ("jobs:ping", "ping"),
        ("held:Holder.deep", "deep"),
    ],
)
def test_flows_are_found(project: Command, target: str, slug: str):
    done = project("compile", target)
    assert done.code == 0, done.err
    assert f"-- The flow {slug}," in done.out


def test_what_a_module_prints_does_not_mix_with_the_output(project: Command):
    done = project("compile", "talking")
    assert done.out.startswith("-- The flow talk")
    assert done.err == "on import\n"


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("calling", "ZeroDivisionError: division by zero\n  at shop/broken.py, line 2: limit ="),
        ("wrong.py", "at wrong.py, line 2: flow = Flow('not a slug')"),
        ("ending", "ends the process (SystemExit: enough)\n  at ending.py, line 2"),
        ("flows:add.plus_one", "there is no 'add.plus_one' in flows; its flows: add, slow, fan"),
        ("flows:plus_one", "step 'plus_one', not a flow"),
        ("several", "another flow has the slug 'same'"),
        ("jobs.ping", "no module 'jobs.ping'"),
        ("shop.slugs", "there is no flow in shop.slugs"),
        ("shop", "there is no flow in shop"),
        ("shop/", "is a folder"),
        ("jobs:", "'jobs:' names no flow"),
        (":ping", "':ping' names no flow"),
        ("a b", "'a b' names no flow"),
        ("", "'' names no flow"),
    ],
)
def test_what_names_no_flow_is_told_with_the_place_in_the_users_code(
    project: Command, target: str, told: str
):
    done = project("compile", target)
    assert (done.code, done.out) == (1, "")
    assert told in done.err


def test_a_run_needs_one_flow(project: Command):
    done = project("start", "flows.py", "1")
    assert done.code == 1
    assert "flows.py:add, flows.py:slow, flows.py:fan" in done.err


def test_migrations_of_several_flows_can_share_a_named_file(project: Command, conn):
    done = project("compile", "flows", "jobs", "--out", "db/sql", "--name", "0007_flows")
    assert done.out == "Written: db/sql/0007_flows.sql\n"
    conn.execute((project.folder / "db/sql/0007_flows.sql").read_text())
    assert conn.execute("select count(*) from pgflow.flows").fetchone() == (4,)
    assert project("compile", "flows", "--out", "db", "--name", "../up").code == 2
    assert project("compile", "flows", "--name", "up").code == 2
