"""Running an example as its README says, in a process of its own."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import httpx
import pytest

from tests.house.workspace import ROOT
from tests.support import until

PATIENCE = timedelta(seconds=60)


@pytest.fixture
def serve(db: str) -> Callable[[str], Iterator[httpx.Client]]:
    """Serve an example on the test's database, and give a browser for it."""

    @contextmanager
    def serve(name: str) -> Iterator[httpx.Client]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, f"examples/{name}/main.py"],
            cwd=ROOT,
            env={**os.environ, "PGFLOW_DATABASE_URL": db, "PORT": str(port)},
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as browser:
                until(lambda: is_served(process, browser), PATIENCE)
                yield browser
        finally:
            process.terminate()
            assert process.wait(30) in (0, -15)

    return serve


def is_served(process: "subprocess.Popen[bytes]", browser: httpx.Client) -> bool:
    assert process.poll() is None, "the example has ended by itself"
    try:
        return browser.get("/").is_success
    except httpx.ConnectError:
        return False
