"""The systemd unit and the image: by their own tools, and by what a worker of them does."""

import json
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from tests.deploy.serving import DEPLOY, GRACE, PATIENCE, PGFLOW, option, serving
from tests.support import until

UNIT = DEPLOY / "systemd/pgflow-worker@.service"
DOCKERFILE = DEPLOY / "container/Dockerfile"
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here"
)


class Unit(ConfigParser):
    """A unit's settings; names keep their case, and a repeated one counts last."""

    def __init__(self, text: str) -> None:
        super().__init__(interpolation=None, strict=False, delimiters=("=",))
        self.optionxform = str  # type: ignore[assignment, method-assign]
        self.read_string(re.sub(r"\\\n\s*", "", text))


def environment() -> dict[str, str]:
    lines = (DEPLOY / "systemd/shop.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def unit_words() -> list[str]:
    """What follows `pgflow` in the unit, with the variables of its file put in."""
    _, *words = Unit(UNIT.read_text())["Service"]["ExecStart"].split()
    # Within a word, systemd wants braces.
    there = re.compile(r"^\$(\w+)$|\$\{(\w+)\}")
    return [there.sub(lambda name: environment()[name[1] or name[2]], word) for word in words]


def test_the_unit_runs_the_command_of_the_instance_s_own_environment():
    program = Unit(UNIT.read_text())["Service"]["ExecStart"].split()[0]
    assert program == "/opt/%i/.venv/bin/pgflow"
    used = {"FLOWS", "HTTP_HOST", "HTTP_PORT"}
    assert set(environment()) == {"PGFLOW_DATABASE_URL", *used}
    assert set(re.findall(r"\$\{?(\w+)", UNIT.read_text())) == used


def test_the_url_of_the_unit_says_which_authority_is_trusted():
    url = conninfo_to_dict(environment()["PGFLOW_DATABASE_URL"])
    assert url["sslmode"] == "verify-full"
    # Without it libpq looks in the home of a user that has none.
    assert Path(str(url["sslrootcert"])).parent == Path("/etc/pgflow")


@needs_systemd
def test_systemd_finds_no_fault_with_the_unit(tmp_path: Path):
    program = tmp_path / "shop/.venv/bin/pgflow"
    program.parent.mkdir(parents=True)
    program.symlink_to(PGFLOW)
    (tmp_path / UNIT.name).write_text(UNIT.read_text().replace("/opt/", f"{tmp_path}/"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"{tmp_path}/{UNIT.stem}shop.service"],
        capture_output=True,
        text=True,
    )
    # It looks at the machine's other units, too.
    told = [line for line in done.stderr.splitlines() if "pgflow" in line]
    assert (told, done.returncode) == ([], 0), done.stderr


@needs_systemd
def test_the_unit_leaves_little_to_whoever_takes_the_worker_over():
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(UNIT)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_worker_of_the_unit_drains_before_systemd_loses_patience(
    db: str, conn: psycopg.Connection[Any], tmp_path: Path
):
    service = Unit(UNIT.read_text())["Service"]
    assert int(service["TimeoutStopSec"]) >= option(unit_words(), "shutdown-timeout") + GRACE
    # To the worker and not to its handlers' processes, which it waits for.
    assert (service["KillMode"], service["KillSignal"]) == ("mixed", "SIGTERM")
    with serving(unit_words(), tmp_path, {**environment(), "PGFLOW_DATABASE_URL": db}) as served:
        assert served.answers("/health") == 200
        conn.execute("select pgflow.start_flow('shop', '[1.5, 1.5]')")
        claimed = 'pgflow_tasks_claimed_total{flow_slug="shop",step_slug="pack"} 2.0'
        until(lambda: claimed in served.body("/metrics"), PATIENCE)
        assert served.end() == 0
    assert conn.execute("select status from pgflow.runs").fetchall() == [("completed",)]


def test_hadolint_finds_no_fault_with_the_image():
    linter = Path(sys.executable).parent / "hadolint"
    # Nobody's settings but ours.
    done = subprocess.run(
        [linter, "--config=/dev/null", "--failure-threshold=style", DOCKERFILE],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def instruction(name: str) -> list[str]:
    """Read the words of an instruction of the final image that has them as JSON."""
    text = DOCKERFILE.read_text().replace("\\\n", "").rpartition("\nFROM ")[2]
    [found] = re.findall(rf"^ *{name}\b[^\[\n]*(\[.*\])$", text, re.MULTILINE)
    return json.loads(found)


def test_the_image_runs_as_nobody_and_takes_the_signal_itself():
    text = DOCKERFILE.read_text()
    users = re.findall(r"^USER (\d+):(\d+)$", text, re.MULTILINE)
    assert users == [("10001", "10001")]
    assert re.findall(r"^STOPSIGNAL (\w+)$", text, re.MULTILINE) == ["SIGTERM"]
    # A shell as process 1 would swallow it.
    assert instruction("ENTRYPOINT") == ["pgflow"]
    assert re.findall(r"stop -t (\d+)", text) == ["90"]


def test_the_image_s_health_check_tells_a_worker_that_serves_from_none(db: str, tmp_path: Path):
    _, *check = instruction("HEALTHCHECK")
    with serving(instruction("CMD"), tmp_path, {"PGFLOW_DATABASE_URL": db}) as served:
        here = [sys.executable, *(word.replace("8080", served.port) for word in check)]
        assert subprocess.run(here, capture_output=True).returncode == 0
        assert served.end() == 0
        assert subprocess.run(here, capture_output=True).returncode != 0


def test_compose_waits_for_the_installation_and_gives_workers_time_to_drain():
    services = yaml.safe_load((DEPLOY / "container/compose.yaml").read_text())["services"]
    worker = services["worker"]
    assert worker["depends_on"]["install"]["condition"] == "service_completed_successfully"
    assert services["install"]["command"] == ["install"]
    patience = option(instruction("CMD"), "shutdown-timeout")
    assert int(worker["stop_grace_period"].removesuffix("s")) >= patience + GRACE
