"""Steps in other processes: they travel by name, as functions do."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from pgflow_dsl import DefinitionError, Flow

FLOWS = """
from pgflow_dsl import Flow, job

flow = Flow("f", input=int)

@flow.step(executor="process")
def double(n: int = flow.input) -> int:
    return 2 * n

def triple(n: int) -> int:
    return 3 * n

tripled = flow.step(slug="by_three", executor="process").add(triple, flow.input)

@job
def half(n: int) -> float:
    return n / 2
"""

SCRIPT = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from flows import double, half, tripled

if __name__ == "__main__":
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        print(*[pool.submit(step, 5).result() for step in (double, tripled, half, half.main)])
"""


def test_steps_run_in_a_pool_of_processes(tmp_path: Path) -> None:
    (tmp_path / "flows.py").write_text(FLOWS)
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["10", "15", "2.5", "2.5"], done.stderr


def test_a_flow_that_no_module_holds_says_why_it_cannot_travel() -> None:
    flow = Flow("f", input=int)

    @flow.step
    def double(n: int = flow.input) -> int:
        return 2 * n

    with pytest.raises(DefinitionError, match=r"flow 'f'.*cannot be sent to another process"):
        pickle.dumps(double)
