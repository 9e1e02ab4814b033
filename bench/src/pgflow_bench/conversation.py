"""Running a system that is measured: a process of its own, in an environment of its own."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from pgflow_bench.server import Counters, read_counters

PEERS = Path(__file__).parents[2] / "peers"
OURS = Path(__file__).parent / "systems"


class AdapterFailed(Exception):
    """A system that is measured ended without figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One measurement of one system.

    Attributes:
        figures: What its adapter printed.
        database: What the server did during the measured part.
    """

    figures: dict[str, Any]
    database: Counters


def adapter_command(system: str) -> list[str]:
    """Return how the adapter of a system is run: ours in this environment, a peer in its own."""
    own = OURS / f"{system}.py"
    if own.exists():
        return [sys.executable, str(own)]
    folder = PEERS / system
    requirements = str(folder / "requirements.txt")
    return [
        *("uv", "run", "--quiet", "--no-project", "--isolated", f"--python={sys.executable}"),
        *(f"--with-requirements={requirements}", "python", str(folder / "adapter.py")),
    ]


def measure(system: str, workload: str, url: str, count: int, timeout: float) -> Outcome:
    """Let a system prepare, then measure it.

    Args:
        system: Its name.
        workload: What it is to do.
        url: An empty database.
        count: How much of it.
        timeout: Seconds until it is given up.

    Raises:
        AdapterFailed: It ended without figures, or took too long.
    """
    command = [*adapter_command(system), workload, url, str(count)]
    with (
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        ) as process,
        psycopg.connect(url, autocommit=True) as conn,
    ):  # fmt: skip
        try:
            if process.stdout is None or process.stdout.readline().strip() != "ready":
                raise AdapterFailed(_last_words(process))
            before = read_counters(conn)
            out, err = process.communicate("go\n", timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise AdapterFailed(f"no figures within {timeout:g} s") from error
        finally:
            process.kill()
        if not out.strip():
            raise AdapterFailed(err.strip()[-2000:])
        after = read_counters(conn)
    return Outcome(figures=json.loads(out), database=after.since(before))


def _last_words(process: "subprocess.Popen[str]") -> str:
    process.kill()
    _, err = process.communicate()
    return err.strip()[-2000:] or "it said nothing"
